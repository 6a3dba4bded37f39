"""The test kit, for those who test actors or write a part of their own.

:func:`check_cancellation_manager` and :func:`check_between_processes` prove a cancellation manager.
"""

from actors.testing._bench import Feature
from actors.testing._manager_check import check_between_processes, check_cancellation_manager

__all__ = ["Feature", "check_between_processes", "check_cancellation_manager"]
