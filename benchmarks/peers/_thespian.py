"""Thespian, with its simplest system: everything in the caller's thread, and no concurrency."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from thespian.actors import Actor, ActorSystem

from benchmarks.measures.memory import resident
from benchmarks.peers._peer import Peer

if TYPE_CHECKING:
    from benchmarks._measure import Figures


class Echo(Actor):
    """Replies with what came."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - the peer's name
        if isinstance(message, int) and message >= 0:
            self.send(sender, message)


def tell(count: int) -> Figures:
    system = ActorSystem("simpleSystemBase")
    address = system.createActor(Echo)
    begin = perf_counter()
    for _ in range(count):
        system.tell(address, -1)
    took = perf_counter() - begin
    system.shutdown()
    return {"tell": took / count}


def ask(count: int) -> Figures:
    system = ActorSystem("simpleSystemBase")
    address = system.createActor(Echo)
    begin = perf_counter()
    for number in range(count):
        system.ask(address, number)
    took = perf_counter() - begin
    system.shutdown()
    return {"ask": took / count}


def spawn(count: int) -> Figures:
    system = ActorSystem("simpleSystemBase")
    begin = perf_counter()
    for _ in range(count):
        system.createActor(Echo)
    took = perf_counter() - begin
    system.shutdown()
    return {"spawn": took / count}


def bytes_idle(count: int) -> Figures:
    system = ActorSystem("simpleSystemBase")
    before = resident()
    addresses = [system.createActor(Echo) for _ in range(count)]
    new = resident()
    for address in addresses:
        system.ask(address, 1)
    return {"bytes-new": (new - before) / count, "bytes-used": (resident() - before) / count}


PEER = Peer("thespian", {"tell": tell, "ask": ask, "spawn": spawn, "bytes-idle": bytes_idle}, share=0.25)
