"""Managers that can be held up, broken, or are sloppy; and the store that a test looks into from outside."""

from __future__ import annotations

import anyio
import attrs
import pytest
import uvloop

from actors import InMemoryCancellationManager
from actors.abc import CancelIntent, CancellationManager
from tests.contracts.remote_like import RemoteManager, Server

NATIVE = [  # where tasks can be cancelled natively
    pytest.param(("asyncio", {}), id="asyncio"),
    pytest.param(("asyncio", {"loop_factory": uvloop.new_event_loop}), id="uvloop"),
]


@attrs.frozen
class Store:
    """One store and two ways to it: the manager that is injected, and the one of whoever is elsewhere."""

    manager: CancellationManager
    elsewhere: CancellationManager

    def active(self):
        return self.elsewhere.get_active_runs()

    def cancel(self, run_id, **why):
        return self.elsewhere.request_cancel_sync(run_id, **why).outcome


class Held(RemoteManager):
    """A manager over a network, of which single calls can be held until they are let go.

    Names are those of ``RemoteManager.reach``; a name with a dot (``.enroll``) holds the *answer* of a call that was done.
    """

    def __init__(self, *held, server=None, **options):
        super().__init__(server if server is not None else Server(), **options)
        self.held = set(held)
        self.arrived = anyio.Event()
        self.go = anyio.Event()

    def let_go(self):
        self.held.clear()
        self.go.set()

    async def reach(self, name):
        await self._hold(name)
        await super().reach(name)

    async def enroll(self, run_id, *, owner=""):
        intent = await super().enroll(run_id, owner=owner)
        await self._hold(".enroll")
        return intent

    async def intents(self, run_ids):
        found = await super().intents(run_ids)
        await self._hold(".intents")
        return found

    async def _hold(self, name):
        if name in self.held:
            self.arrived.set()
            await self.go.wait()


class Gossip(InMemoryCancellationManager):
    """A sloppy manager: whoever has registered a run with it is told of every cancel, also of runs it has never seen."""

    def __init__(self):
        super().__init__()
        self.told = []

    def request_cancel_sync(self, run_id, *, reason="", by=None):
        result = super().request_cancel_sync(run_id, reason=reason, by=by)
        for tell, _ in list(self._runs.values()):
            self.told.append(run_id)
            tell(CancelIntent(run_id, reason, by))
        return result


def leave(how, scope):
    """Leave a system's block in this way, from inside of it: ``by its end``, ``by an exception``, ``by a cancellation``."""
    if how == "by an exception":
        raise ZeroDivisionError
    if how == "by a cancellation":
        scope.cancel()


def said(caplog, event):
    """The fields of each log entry of that name."""
    return [record.fields for record in caplog.records if getattr(record, "event", None) == event]
