"""Death watch: an actor hears of the end of another, once, when that one's name is free again.

What it hears is put where interrupts of queued runs are: before its messages, and outside the capacity of its mailbox. It is
kept with the actor's place and not with the instance, so that a watcher which is restarted still hears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from actors._note import Note

if TYPE_CHECKING:
    from actors._cell import Cell
    from actors._events import Death
    from actors._ref import ActorRef

HOOK = "on_terminated"


@attrs.frozen
class Terminated:
    """What ``on_terminated`` is told.

    Attributes:
        ref: the actor that has ended.
        reason: ``stopped``; ``killed``; ``failed``: its supervision has ended it, or has given up restarting it.
        error: with what it has failed; None if it has not, and for whoever began to watch when it was over.
    """

    ref: ActorRef[Any, Any, Any]
    reason: Death
    error: BaseException | None = None


class Bonds:
    """Who watches an actor, and whom it watches, in the order in which they began to."""

    __slots__ = ("watched", "watchers")

    def __init__(self) -> None:
        self.watchers: dict[Cell, None] = {}
        self.watched: dict[Cell, None] = {}


def watch(watcher: Cell, target: Cell) -> None:
    """From now on ``watcher`` will hear of the end of ``target``; at once if that has come already."""
    if target.dead:
        _tell(watcher, Terminated(target.ref, target.death or "stopped"))
        return
    _bonds(target).watchers[watcher] = None
    _bonds(watcher).watched[target] = None


def unwatch(watcher: Cell, target: Cell) -> None:
    """It will not hear of it any more, also if that waits to be told already."""
    if target.bonds is not None:
        target.bonds.watchers.pop(watcher, None)
    if watcher.bonds is not None:
        watcher.bonds.watched.pop(target, None)
    for mail in tuple(watcher.urgent or ()):
        if _is_about(mail, target):
            assert watcher.urgent is not None
            watcher.urgent.remove(mail)


def death_came(cell: Cell, error: BaseException | None) -> None:
    """The actor has ended: tell its watchers, and forget whom it has watched."""
    bonds, cell.bonds = cell.bonds, None
    if bonds is None:
        return
    for target in bonds.watched:
        if target.bonds is not None:
            target.bonds.watchers.pop(cell, None)
    for watcher in bonds.watchers:
        if watcher.bonds is not None:
            watcher.bonds.watched.pop(cell, None)
        _tell(watcher, Terminated(cell.ref, cell.death or "stopped", error))


def _tell(watcher: Cell, terminated: Terminated) -> None:
    if watcher.dead or (watcher.ending is not None and watcher.ending.refuses):
        return  # nobody is there to hear
    target = terminated.ref._cell
    if not any(_is_about(mail, target) for mail in watcher.urgent or ()):
        watcher.before_messages(Note(HOOK, terminated))


def _is_about(mail: object, target: Cell) -> bool:
    return isinstance(mail, Note) and isinstance(mail.message, Terminated) and mail.message.ref._cell is target


def _bonds(cell: Cell) -> Bonds:
    if cell.bonds is None:
        cell.bonds = Bonds()
    return cell.bonds
