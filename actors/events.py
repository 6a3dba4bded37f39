"""What happens in a system, as records: what ``system.events()`` gives.

::

    with system.events() as told:
        async for event in told:
            match event:
                case events.Restarted(path=path, error=error): ...
"""

from actors._events import (
    DeadLetter,
    Death,
    Event,
    Interrupted,
    Overflow,
    Restarted,
    Started,
    Stopped,
    Stuck,
    Subscription,
)

__all__ = [
    "DeadLetter",
    "Death",
    "Event",
    "Interrupted",
    "Overflow",
    "Restarted",
    "Started",
    "Stopped",
    "Stuck",
    "Subscription",
]
