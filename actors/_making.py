"""Making the instance behind an actor: at spawn, and again at each restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors._actor import Actor
from actors._context import ActorContext
from actors._errors import SpawnError

if TYPE_CHECKING:
    from actors._cell import Cell


def is_actor(thing: object) -> bool:
    """Whether it is an instance, and not something that makes one."""
    return isinstance(thing, Actor)


def make(source: Any) -> Actor[Any, Any, Any]:
    """The instance itself, or what the factory makes, looked at.

    Raises:
        SpawnError: it is no actor, one that could not work, or one that has been spawned before.
    """
    actor = _instance(source)
    actor._check()
    if "_actor_context" in actor.__dict__:
        raise SpawnError(
            f"this {type(actor).__qualname__} has been spawned before; an instance is one actor: give spawn a new one"
        )
    return actor


def give_context(actor: Actor[Any, Any, Any], cell: Cell) -> None:
    """From now on the instance is this actor."""
    actor.__dict__["_actor_context"] = ActorContext(cell)


def _instance(source: Any) -> Actor[Any, Any, Any]:
    if is_actor(source):
        actor: Actor[Any, Any, Any] = source
        return actor
    if not callable(source):
        raise SpawnError(f"spawn takes an actor, or a function or class that makes one, not {source!r}")
    made: Any = source()
    if not is_actor(made):
        raise SpawnError(f"the factory {source!r} made {made!r}, which is not an Actor")
    made_actor: Actor[Any, Any, Any] = made
    return made_actor
