"""The plug points of the framework, for those who write another cancellation manager.

Pick the base class that fits where the runs are kept:

- over a network: :class:`CancellationManager`, asynchronous primitives;
- in a local file or database: :class:`LocalCancellationManager`, synchronous primitives;
- in memory: :class:`InlineCancellationManager`, primitives that never wait.

:func:`adapt` takes a manager that was written for agno as it is.
"""

from actors._cancellation._adapted import adapt
from actors._cancellation._health import ManagerHealth
from actors._cancellation._intent import CancelIntent, CancelOutcome, CancelResult, RunRecord
from actors._cancellation._local import InlineCancellationManager, LocalCancellationManager
from actors._cancellation._manager import CancellationManager

__all__ = [
    "CancelIntent",
    "CancelOutcome",
    "CancelResult",
    "CancellationManager",
    "InlineCancellationManager",
    "LocalCancellationManager",
    "ManagerHealth",
    "RunRecord",
    "adapt",
]
