"""What is to happen when an actor fails: the policy that ``spawn`` is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, TypeAlias, get_args

import attrs

from actors._backoff import Backoff
from actors._logging import get_logger

logger = get_logger("actors.supervision")

Directive: TypeAlias = Literal["resume", "restart", "stop", "escalate"]
"""What to do about one failure: go on with the same instance; go on with a new one; end the actor; end it, and let its parent
fail with the error."""

Decision: TypeAlias = Directive | Mapping[type[BaseException], Directive] | Callable[[BaseException], Directive]
"""How a directive is found: always this one, by the type of the error, or by a function of the error."""

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Who is restarted when one fails: it alone; all that share its supervision; it and those that were started after it."""

Lifespan: TypeAlias = Literal["permanent", "transient", "temporary"]
"""When an actor is restarted: also when it has stopped itself; only when it has failed; never."""


def _decision(_supervision: object, attribute: attrs.Attribute[Decision], value: Decision) -> None:
    if callable(value):
        return
    for directive in _by_type(value, "resume").values():
        if directive not in get_args(Directive):
            raise ValueError(f"{attribute.name} says resume, restart, stop or escalate, not {directive!r}")


def _one_of(names: tuple[str, ...]) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    def validate(_supervision: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in names:
            raise ValueError(f"{attribute.name.lstrip('_')} is one of {', '.join(names)}, not {value!r}")

    return validate


def _times(_supervision: object, _attribute: object, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or value < 0):
        raise ValueError(f"times is a whole number from 0 on, or None for any number of restarts, not {value!r}")


def _within(_supervision: object, _attribute: object, value: float) -> None:
    if not value > 0:
        raise ValueError(f"within is a positive number of seconds, not {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class Supervision:
    """What happens when an actor fails; made by :func:`one_for_one`, :func:`one_for_all` or :func:`rest_for_one`.

    Actors of one parent that were spawned with *the same object* share it: its budget, and with ``one_for_all`` and
    ``rest_for_one`` their fate. With ``one_for_one`` each has a budget of its own.

    A failure is an error of a reply (or of ``handle_interrupt``) that nobody waits for, a reply that refuses to end
    (:class:`~actors.ReplyStuckError`), an error of ``observe`` or ``on_terminated``, and what a child escalates. An error that
    reaches an asker is his answer, and a failure only if ``on_ask_error`` says so. An interrupt is never a failure.

    Args:
        strategy: who is restarted, or stopped, when one fails.
        on_error: what to do. A mapping is searched for the error's class, then for its bases; what it does not name is
            ``restart``.
        on_ask_error: the same for an error that has reached an asker; what a mapping does not name is ``resume``.
        lifespan: ``permanent``, ``transient`` or ``temporary``.
        times: how many restarts are allowed ``within`` so many seconds; None for any number. At one more it is given up.
        within: that many seconds.
        backoff: how long to wait before each restart.
        on_give_up: what then: ``stop`` or ``escalate``.

    Raises:
        ValueError: if one of them cannot be right.
    """

    strategy: Strategy = attrs.field(default="one_for_one", validator=_one_of(get_args(Strategy)))
    on_error: Decision = attrs.field(default="restart", validator=_decision)
    on_ask_error: Decision = attrs.field(default="resume", validator=_decision)
    lifespan: Lifespan = attrs.field(default="transient", validator=_one_of(get_args(Lifespan)))
    times: int | None = attrs.field(default=5, validator=_times)
    within: float = attrs.field(default=60.0, validator=_within)
    backoff: Backoff = attrs.field(factory=Backoff)
    on_give_up: Literal["stop", "escalate"] = attrs.field(default="stop", validator=_one_of(("stop", "escalate")))
    group: object = attrs.field(factory=object, repr=False)

    def but(
        self,
        *,
        on_error: Decision | None = None,
        on_ask_error: Decision | None = None,
        lifespan: Lifespan | None = None,
    ) -> Self:
        """The same supervision, with the same fate, for a child for which something else is to be done."""
        return attrs.evolve(
            self,
            on_error=self.on_error if on_error is None else on_error,
            on_ask_error=self.on_ask_error if on_ask_error is None else on_ask_error,
            lifespan=self.lifespan if lifespan is None else lifespan,
        )

    # -- for the machinery

    @property
    def may_restart(self) -> bool:
        """Whether an actor under it could ever need a new instance."""
        if self.lifespan == "temporary":
            return False
        return (
            self.lifespan == "permanent"
            or self.strategy != "one_for_one"
            or _may_say_restart(self.on_error, "restart")
            or _may_say_restart(self.on_ask_error, "resume")
        )

    def directive(self, error: BaseException, *, asked: bool) -> Directive:
        """What to do about this error, which has reached an asker or not."""
        found = _look_up(self.on_ask_error, error, "resume") if asked else _look_up(self.on_error, error, "restart")
        return "stop" if found == "restart" and self.lifespan == "temporary" else found


def one_for_one(
    on_error: Decision = "restart",
    *,
    on_ask_error: Decision = "resume",
    lifespan: Lifespan = "transient",
    times: int | None = 5,
    within: float = 60.0,
    backoff: Backoff | None = None,
    on_give_up: Literal["stop", "escalate"] = "stop",
) -> Supervision:
    """Each actor is restarted by itself; see :class:`Supervision` for the arguments."""
    return Supervision(
        strategy="one_for_one",
        on_error=on_error,
        on_ask_error=on_ask_error,
        lifespan=lifespan,
        times=times,
        within=within,
        backoff=backoff or Backoff(),
        on_give_up=on_give_up,
    )


def one_for_all(
    on_error: Decision = "restart",
    *,
    on_ask_error: Decision = "resume",
    lifespan: Lifespan = "transient",
    times: int | None = 5,
    within: float = 60.0,
    backoff: Backoff | None = None,
    on_give_up: Literal["stop", "escalate"] = "stop",
) -> Supervision:
    """When one fails, all that were spawned with this object are restarted; see :class:`Supervision` for the arguments."""
    return Supervision(
        strategy="one_for_all",
        on_error=on_error,
        on_ask_error=on_ask_error,
        lifespan=lifespan,
        times=times,
        within=within,
        backoff=backoff or Backoff(),
        on_give_up=on_give_up,
    )


def rest_for_one(
    on_error: Decision = "restart",
    *,
    on_ask_error: Decision = "resume",
    lifespan: Lifespan = "transient",
    times: int | None = 5,
    within: float = 60.0,
    backoff: Backoff | None = None,
    on_give_up: Literal["stop", "escalate"] = "stop",
) -> Supervision:
    """When one fails, it and those that were spawned after it with this object are restarted; see :class:`Supervision`."""
    return Supervision(
        strategy="rest_for_one",
        on_error=on_error,
        on_ask_error=on_ask_error,
        lifespan=lifespan,
        times=times,
        within=within,
        backoff=backoff or Backoff(),
        on_give_up=on_give_up,
    )


def _look_up(decision: Any, error: BaseException, otherwise: Directive) -> Directive:
    if not callable(decision):
        by_type = _by_type(decision, otherwise)
        return next(by_type[kind] for kind in type(error).__mro__ if kind in by_type)
    try:
        said: Any = decision(error)
    except Exception as failure:
        logger.error("supervision.decision_failed", hint="the actor is stopped", exc_info=failure)
        return "stop"
    if said not in get_args(Directive):
        logger.error("supervision.decision_unknown", said=repr(said), hint="the actor is stopped")
        return "stop"
    directive: Directive = said
    return directive


def _by_type(decision: Any, otherwise: Directive) -> dict[type[BaseException], Directive]:
    """A directive, or some by the type of the error, as a mapping that has one for all errors."""
    always: Any = decision
    return {BaseException: always} if isinstance(decision, str) else {BaseException: otherwise, **decision}


def _may_say_restart(decision: Any, otherwise: Directive) -> bool:
    if callable(decision):
        return True
    by_type = _by_type(decision, otherwise)
    if Exception in by_type:
        del by_type[BaseException]  # out of reach
    return "restart" in by_type.values()
