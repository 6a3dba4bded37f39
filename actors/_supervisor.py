"""One actor under its supervision: what its failures lead to, and how it gets a new instance."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import attrs

from actors import _ending
from actors._backoff import Pauses
from actors._cell import Cell, State
from actors._ending import End
from actors._errors import ActorStopped, Interrupted
from actors._events import Restarted
from actors._incarnation import end_incarnation
from actors._logging import get_logger
from actors._mailbox import MailQueue
from actors._making import give_context, make
from actors._reply import coroutine_of
from actors._restart import Round
from actors._restart_budget import RestartBudget
from actors._step import Step

if TYPE_CHECKING:
    from collections.abc import Collection

    from actors._actor import Actor
    from actors._supervision import Directive, Supervision

logger = get_logger("actors.supervision")


@attrs.define(eq=False)
class Fate:
    """What actors that share one have in common: the restarts that are left, and how long the next pause is."""

    budget: RestartBudget
    pauses: Pauses


class Supervised:
    """What a cell asks and tells when something has gone wrong with its actor.

    Args:
        cell: the actor's place.
        policy: what is to happen.
        factory: makes instances; an instance itself where the policy never restarts.
        siblings: the actors beside it that live already.
    """

    def __init__(self, cell: Cell, policy: Supervision, factory: Any, siblings: Collection[Cell]) -> None:
        self.cell = cell
        self.policy = policy
        self.restarts = 0
        self.round: Round | None = None  # in which it is restarted, or stopped with others
        self._factory = factory
        self._context = copy_context()  # of whoever spawned it: each instance starts in a copy
        self._failure: BaseException | None = None  # for which it ends
        self._start_error: BaseException | None = None  # why the newest instance did not start
        self._cause: BaseException | None = None  # why there is to be a new instance
        self._away_since = 0.0
        shared = [
            one.supervised for one in siblings if one.supervised is not None and one.supervised.in_group_of(policy)
        ]
        if shared and policy.strategy != "one_for_one":
            self.fate: Fate = shared[0].fate
        else:
            self.fate = Fate(RestartBudget(policy.times, policy.within), Pauses(policy.backoff))

    def in_group_of(self, policy: Supervision) -> bool:
        """Whether it shares its fate with actors under that policy."""
        return self.policy.group is policy.group

    # -- what can go wrong

    def failed(self, error: BaseException, *, asked: bool = False) -> None:
        """A reply has ended with this error, which has reached an asker or not; or a child has failed with it."""
        cell = self.cell
        if cell.dead or not cell.system.is_open or isinstance(error, Interrupted):
            return
        if self.round is not None and self.round.takes_down(cell):
            return  # it is on its way out already
        directive = self.policy.directive(error, asked=asked)
        if directive == "resume":
            return
        if cell.starting:
            self._failed_in_start(error)
        elif cell.ending is not None:
            self._failure = error
            _ending.begin_end(cell, End.STOP)  # no new instance for one that is to end: the rest is refused
        else:
            self.obey(directive, error)

    def stuck(self, where: str) -> None:
        """A step refuses to end. Unless that is to be put up with, the actor is cut off from it."""
        cell, lever, run = self.cell, self.cell.lever, self.cell.current
        error = _ending.stuck_error(cell, run, where)
        directive = self.policy.directive(error, asked=False)
        if directive == "resume" or cell.starting or not cell.system.is_open:
            return
        self.obey(directive, error)
        if cell.lever is lever:
            _ending.cut_off(cell)

    def comes_back(self, *, drain: bool) -> bool:
        """The actor stops itself. True if it is permanent: then a new instance follows, and takes over the mailbox."""
        cell = self.cell
        if self.policy.lifespan != "permanent" or cell.ending is not None or cell.starting:
            return False
        error = ActorStopped(f"{cell.path} has stopped itself, and is permanent", ref=cell.ref)
        return self._restart(error, finish=drain)

    def start_failed(self, error: BaseException) -> None:
        """The new instance did not start; it goes the way of the old one, and the round looks at it then."""
        self._start_error = error
        _ending.begin_end(self.cell, End.RESTART)
        self.cell.wake()

    # -- what is done about it

    def obey(self, directive: Directive, error: BaseException) -> None:
        """Do it."""
        if directive == "restart":
            self._restart(error)
        elif directive == "stop":
            self._stop(error)
        elif directive == "escalate":
            self._stop(error)
            self._fail_above(error)

    def _restart(self, error: BaseException, *, finish: bool = False) -> bool:
        """A round of restarts, if the budget has one left. False: it is given up."""
        cell, now = self.cell, self.cell.system.clock()
        pause = self.fate.pauses.next(now)
        if not self.fate.budget.spend(now):
            logger.error("supervision.gave_up", actor=cell.path, times=self.policy.times, within=self.policy.within)
            self.obey("escalate" if self.policy.on_give_up == "escalate" else "stop", error)
            return False
        logger.warning("actor.restarting", actor=cell.path, error=repr(error), pause=pause)
        Round(self._members(), cell, error, pause=pause, finish=finish).start()
        return True

    def _stop(self, error: BaseException) -> None:
        logger.error("actor.failed", actor=self.cell.path, error=repr(error), hint="it is stopped")
        self._failure = error
        members = self._members()
        if len(members) > 1:
            Round(members, self.cell, error, for_good=True).start()
        else:
            _ending.begin_end(self.cell, End.STOP)

    def _failed_in_start(self, error: BaseException) -> None:
        """A child has failed while ``on_start`` runs: so does that."""
        if self.cell.restarting:
            self.start_failed(error)
        else:
            self.cell.start_error = error
            _ending.begin_end(self.cell, End.KILL)

    def _fail_above(self, error: BaseException) -> None:
        """The next one above that is supervised fails with this error; at the top the system does."""
        above = self.cell.parent
        while above is not None and above.supervised is None:
            above = above.parent
        if above is None:
            self.cell.system.fail(error)
        elif above.supervised is not None:
            above.supervised.failed(error)

    def _members(self) -> list[Cell]:
        """Who shares this failure, in start order."""
        cell = self.cell
        if self.policy.strategy == "one_for_one":
            return [cell]
        siblings = cell.system.roots if cell.parent is None else (cell.parent.children or {})
        members = [
            sibling
            for sibling in siblings.values()
            if sibling.supervised is not None
            and sibling.supervised.in_group_of(self.policy)
            and not sibling.never_lived
            and (sibling.ending is None or sibling.ending is End.RESTART)
        ]
        return (
            members if self.policy.strategy == "one_for_all" or cell not in members else members[members.index(cell) :]
        )

    # -- from one instance to the next

    def retire(self) -> None:
        """The instance has ended. Whatever of it still runs, and what it left behind, has no hold on the actor any more."""
        actor = self.cell.actor
        if actor is not None:
            context = actor.__dict__.get("_actor_context")
            if context is not None:
                context._cell = _ghost(self.cell)
        end_incarnation(self.cell)
        self.cell.empty()

    def prepare(self, cause: BaseException) -> None:
        """The instance is about to be ended, for this."""
        self._cause, self._start_error = cause, None
        self._away_since = self.cell.system.clock()

    def bring_up(self) -> None:
        """Make a new instance and let it start; ``came_up`` or ``start_failed`` follows, or somebody ends the actor."""
        cell, context = self.cell, self._context.copy()
        self._start_error = None
        try:
            actor = context.run(make, self._factory)
        except Exception as error:  # noqa: BLE001 - a failure to start like others
            self._start_error = error
            return
        give_context(actor, cell)
        cell.actor, cell.ending, cell.stop_begun = actor, None, False
        cell.start_context, cell.next_step = context, Step.START
        cell.wake()

    async def start_again(self, actor: Actor[Any, Any, Any]) -> None:
        """The first step of a new instance."""
        assert self._cause is not None
        await coroutine_of(actor.on_restart(self._cause), actor, "on_restart")
        await coroutine_of(actor.on_start(), actor, "on_start")

    def came_up(self) -> None:
        """The new instance has started."""
        cell, cause, now = self.cell, self._cause, self.cell.system.clock()
        self._cause = None
        self.restarts += 1
        logger.info("actor.restarted", actor=cell.path, restarts=self.restarts, pause=now - self._away_since)
        stream = cell.system.event_stream
        if stream.heard and cause is not None:
            stream.publish(Restarted(cell.path, cause, self.restarts, now - self._away_since, at=now))

    def take_start_error(self) -> BaseException | None:
        """Why the newest instance did not start, once."""
        error, self._start_error = self._start_error, None
        return error

    def leave(self) -> BaseException | None:
        """The actor is gone, for this failure if it was one."""
        failure, self._failure = self._failure, None
        self._cause = self._start_error = None
        if self.round is not None:
            self.round.lost(self.cell)
        return failure


def _ghost(cell: Cell) -> Cell:
    """A dead actor of the same name and ref, for what is left of an old instance to use."""
    ghost = Cell(
        system=cell.system,
        name=cell.name,
        parent=cell.parent,
        actor=None,
        mailbox=cell.mailbox,
        queue=MailQueue(),
        interrupt_timeout=cell.interrupt_timeout,
        registrar=None,
        hears_endings=False,
    )
    ghost.ref, ghost.state = cell.ref, State.DEAD
    return ghost
