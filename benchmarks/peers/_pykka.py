"""pykka: an actor is a thread; an ask blocks the thread of whoever asks."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pykka

from benchmarks.measures.memory import resident
from benchmarks.peers._peer import Peer

if TYPE_CHECKING:
    from benchmarks._measure import Figures


class Echo(pykka.ThreadingActor):
    """Replies with what came, and says when that is a zero."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()

    def on_receive(self, message: Any) -> Any:
        if not message:
            self.done.set()
        return message


def tell(count: int) -> Figures:
    done = threading.Event()

    class Counts(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.done = done

    ref = Counts.start()
    begin = perf_counter()
    for number in reversed(range(count)):
        ref.tell(number)
    done.wait()
    took = perf_counter() - begin
    ref.stop()
    return {"tell": took / count}


def ask(count: int) -> Figures:
    ref = Echo.start()
    begin = perf_counter()
    for number in range(count):
        ref.ask(number)
    took = perf_counter() - begin
    ref.stop()
    return {"ask": took / count}


def spawn(count: int) -> Figures:
    begin = perf_counter()
    refs = [Echo.start() for _ in range(count)]
    started = perf_counter()
    for ref in refs:
        ref.stop()
    return {"spawn": (started - begin) / count, "stop": (perf_counter() - started) / count}


def bytes_idle(count: int) -> Figures:
    before = resident()
    refs = [Echo.start() for _ in range(count)]
    new = resident()
    for ref in refs:
        ref.ask(1)
    used = resident()
    for ref in refs:
        ref.stop()  # a process does not end while their threads run
    return {"bytes-new": (new - before) / count, "bytes-used": (used - before) / count}


PEER = Peer("pykka", {"tell": tell, "ask": ask, "spawn": spawn, "bytes-idle": bytes_idle}, share=0.1)
