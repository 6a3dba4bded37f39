"""The test kit, for those who test actors or write a part of their own.

:func:`check_cancellation_manager` proves a cancellation manager.
"""

from actors.testing._bench import Feature
from actors.testing._manager_check import check_cancellation_manager

__all__ = ["Feature", "check_cancellation_manager"]
