"""Whether a cancellation manager's store can be reached, as seen by everybody in this process who uses that manager."""

from __future__ import annotations

import time

import attrs


@attrs.frozen
class ManagerHealth:
    """How a manager is doing. True while it is healthy.

    Args:
        healthy: the last contact with the store worked, and so does the subscription; also before the first contact.
        error: what went wrong last, in words; empty if nothing has, or if it works again.
        failures: how many contacts have failed in this outage.
        watching: whether the subscription stands; None while there is none, because nothing is registered.
        since: when ``healthy`` last changed, in seconds since the epoch; None if it never has.
        registered: runs that the asking system has registered through this manager.
        unregistered: runs of the asking system that go on without being registered, because the store did not answer in time.
    """

    healthy: bool = True
    error: str = ""
    failures: int = 0
    watching: bool | None = None
    since: float | None = None
    registered: int = 0
    unregistered: int = 0

    def __bool__(self) -> bool:
        return self.healthy


@attrs.define
class HealthLog:
    """Collects what the contacts with a store came to. Changes, readings and subscription are told apart.

    A store that can be read cannot always be changed (a full disk, a lock that somebody keeps), so a reading that works does
    not end an outage in which changes have failed. A broken subscription leaves the flag in the store usable: registrations
    then still wait for their answer, while the report says that pushes are late.
    """

    failed_changes: int = 0
    failed_readings: int = 0
    subscribed: bool | None = None
    _error: str = ""
    _lost: str = ""
    _healthy: bool = True
    _since: float | None = None

    @property
    def reachable(self) -> bool:
        """Whether the last change and the last reading were answered."""
        return not self.failed_changes and not self.failed_readings

    def failed(self, error: BaseException, *, reading: bool = False) -> bool:
        """A call failed. Returns whether all was well before, so that one outage is one log entry."""
        began = self.reachable
        if reading:
            self.failed_readings += 1
        else:
            self.failed_changes += 1
        self._error = describe(error)
        self._note()
        return began

    def worked(self, *, reading: bool = False) -> bool:
        """A call was answered. Returns whether the outage is over with it."""
        if not self.failed_changes and not self.failed_readings:
            return False
        if reading:
            self.failed_readings = 0
        else:
            self.failed_changes = 0
        if self.failed_changes + self.failed_readings:
            return False
        self._error = ""
        self._note()
        return True

    def subscription_stands(self) -> None:
        """The subscription came up."""
        self._subscription(standing=True)

    def subscription_lost(self, error: BaseException) -> None:
        """The subscription broke; it will be tried again."""
        self._subscription(standing=False, lost=describe(error))

    def subscription_ended(self) -> None:
        """The subscription is no longer wanted."""
        self._subscription(standing=None)

    def _subscription(self, *, standing: bool | None, lost: str = "") -> None:
        self.subscribed = standing
        self._lost = lost
        self._note()

    def report(self) -> ManagerHealth:
        """The state of now."""
        return ManagerHealth(
            healthy=self._healthy,
            error=self._error or self._lost,
            failures=self.failed_changes + self.failed_readings,
            watching=self.subscribed,
            since=self._since,
        )

    def _note(self) -> None:
        healthy = self.reachable and not self._lost
        if healthy != self._healthy:
            self._healthy = healthy
            self._since = time.time()


def describe(error: BaseException) -> str:
    """An error in one line; its type alone if it has no text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
