"""Ray: an actor is a process. Measured only where asked for (``--peers ray``): it is large, and starts a cluster."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import ray

from benchmarks.peers._peer import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks._measure import Figures


class Echo:
    """Replies with what came."""

    async def echo(self, message: Any) -> Any:
        return message


@contextmanager
def cluster() -> Iterator[Any]:
    """A cluster on this machine, and the class of the actors in it."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    try:
        yield ray.remote(num_cpus=0)(Echo)
    finally:
        ray.shutdown()


def tell(count: int) -> Figures:
    with cluster() as kind:
        ref = kind.remote()
        ray.get(ref.echo.remote(0))
        begin = perf_counter()
        ray.get([ref.echo.remote(number) for number in range(count)][-1])
        return {"tell": (perf_counter() - begin) / count}


def ask(count: int) -> Figures:
    with cluster() as kind:
        ref = kind.remote()
        ray.get(ref.echo.remote(0))
        begin = perf_counter()
        for number in range(count):
            ray.get(ref.echo.remote(number))
        return {"ask": (perf_counter() - begin) / count}


def spawn(count: int) -> Figures:
    with cluster() as kind:
        begin = perf_counter()
        refs = [kind.remote() for _ in range(count)]
        ray.get([ref.echo.remote(0) for ref in refs])
        return {"spawn": (perf_counter() - begin) / count}


PEER = Peer("ray", {"tell": tell, "ask": ask, "spawn": spawn}, share=0.02)
