"""Bringing an actor into its system."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from actors import _ending
from actors._cell import Cell
from actors._compat import TypeVar
from actors._current import sender
from actors._errors import ActorStopped, SpawnError
from actors._mailbox import Mailbox, MailQueue
from actors._mailbox_policy import PolicyQueue
from actors._making import give_context, is_actor, make
from actors._note import Note
from actors._overflow import expired
from actors._step import Step
from actors._supervisor import Supervised
from actors._thread_check import check_thread

if TYPE_CHECKING:
    import itertools
    from collections.abc import Callable

    from actors._actor import Actor
    from actors._registrar import Registrar
    from actors._supervision import Supervision
    from actors._system import ActorSystem

PLAIN = Mailbox()
"""Of actors for which ``spawn`` names none."""

RefT_co = TypeVar("RefT_co", covariant=True)
RefT = TypeVar("RefT")


class Spawnable(Protocol[RefT_co]):
    """An actor, seen by ``spawn``: what matters is the type of its ref."""

    def _make_ref(self, cell: Cell) -> RefT_co: ...


async def spawn(
    system: ActorSystem,
    parent: Cell | None,
    actor: Spawnable[RefT] | Callable[[], Spawnable[RefT]],
    *,
    name: str | None,
    registrar: Registrar | None,
    mailbox: Mailbox | None,
    interrupt_timeout: float,
    supervision: Supervision | None,
) -> RefT:
    """See :meth:`ActorSystem.spawn`."""
    cell = enter(
        system,
        parent,
        actor,
        name=name,
        registrar=registrar,
        mailbox=mailbox or PLAIN,
        interrupt_timeout=interrupt_timeout,
        supervision=supervision,
    )
    await started(cell)
    ref: Any = cell.ref
    made: RefT = ref
    return made


def enter(
    system: ActorSystem,
    parent: Cell | None,
    actor: Any,
    *,
    name: str | None,
    registrar: Registrar | None,
    mailbox: Mailbox,
    interrupt_timeout: float,
    supervision: Supervision | None,
) -> Cell:
    """Bring the actor in, without waiting for its ``on_start``, which runs in the caller's context. It takes messages already."""
    if supervision is not None and supervision.may_restart and is_actor(actor):
        raise SpawnError(
            f"a restart needs a new {type(actor).__qualname__}, and spawn was given an instance: give it the class or a "
            f"function that makes one, or a supervision that never restarts"
        )
    instance = make(actor)
    siblings = _siblings(system, parent)
    chosen = _name(instance, name, siblings, system.name_numbers)
    cell = Cell(
        system=system,
        name=chosen,
        parent=parent,
        actor=instance,
        mailbox=mailbox,
        queue=MailQueue(),
        interrupt_timeout=interrupt_timeout,
        registrar=registrar,
        hears_endings=instance._overrides("_reply_ended"),
    )
    if not cell.mailbox.plain:
        cell.queue = PolicyQueue(cell.mailbox, system.clock, sender, partial(expired, cell), partial(_pause, system))
    cell.ref = instance._make_ref(cell)
    give_context(instance, cell)
    if supervision is not None:
        cell.supervised = Supervised(cell, supervision, actor, siblings.values())
    siblings[chosen] = cell
    if not instance._overrides("on_start"):
        cell.live()
    else:
        cell.start_context = copy_context()
        cell.next_step = Step.START
        cell.wake()
    return cell


async def started(cell: Cell) -> None:
    """Wait for ``on_start``. Whoever is cancelled meanwhile takes the actor with it.

    Raises:
        Exception: whatever it raised.
    """
    if cell.starting:
        waiter = cell.system.new_waiter()
        cell.add_joiner(waiter)
        try:
            await waiter
        except BaseException:
            _ending.begin_end(cell, _ending.End.KILL)
            raise
    if cell.start_error is not None:
        raise cell.start_error


def _pause(system: ActorSystem) -> Note:
    return Note("_let_others_turn", None, system.context.copy())


def _siblings(system: ActorSystem, parent: Cell | None) -> dict[str, Cell]:
    if parent is None:
        system.check_open()
        return system.roots
    check_thread(parent)
    if parent.ending is not None or parent.dead:
        raise ActorStopped(f"{parent.path} is stopping and starts no more children", ref=parent.ref)
    if parent.children is None:
        parent.children = {}
    return parent.children


def _name(
    actor: Actor[Any, Any, Any], name: str | None, siblings: dict[str, Cell], numbers: itertools.count[int]
) -> str:
    wanted = name if name is not None else actor._default_name()
    if wanted is None:
        made = (f"{type(actor).__name__.lower()}-{number}" for number in numbers)
        return next(name for name in made if name not in siblings)
    if not wanted or "/" in wanted:
        raise SpawnError(f"an actor's name is a text that is not empty and has no slash, not {wanted!r}")
    if wanted in siblings:
        raise SpawnError(
            f"the name {wanted!r} is taken by {siblings[wanted].path}; stop that one first, or choose another"
        )
    return wanted
