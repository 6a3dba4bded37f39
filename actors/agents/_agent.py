"""The agent: an actor that talks in messages, remembers what it heard, and can be cut off in the middle of a sentence.

Names and behaviour follow AgentScope 1.x (``agentscope.agent.AgentBase`` and ``A2AAgent``) where they can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs

from actors._actor import Actor
from actors._compat import override
from actors._errors import SpawnError, UsageError
from actors._run import Phase
from actors.agents._agent_ref import AgentRef, Input
from actors.agents._chunks import Chunk, Increments, joined
from actors.agents._console import Console, wanted
from actors.agents._message import Msg
from actors.agents._observed import INTERRUPTED, NOTHING_SAID, Observed, messages_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors._cell import Cell
    from actors._context import ActorContext
    from actors._interruption import Interruption
    from actors._run import Status
    from actors.agents._blocks import ContentBlock
    from actors.agents._json import JSON


# Any, not Input, for the message: so `async def reply(self, message: Msg)` is a proper override. Refs are typed with
# Input.
@attrs.define(eq=False, slots=False)
class Agent(Actor[Any, Msg, Chunk]):
    """Subclass it, and write ``reply``: an async generator that yields words, or an ``async def`` that returns a `Msg`.

    ::

        class Storyteller(Agent):
            async def reply(self, message: Msg) -> AsyncIterator[str]:
                history = self.take_observed(message)
                async for word in write_story(history):
                    yield word

    Whoever has an ``__init__`` calls ``super().__init__(name)`` in it; an attrs class inherits the fields.

    What a reply returns is given away: an agent that also remembers it remembers ``message.copy()``.

    Args:
        name: who speaks, in its messages, and the name under which it is spawned.
        console: whether `print` writes to standard output; None does unless the environment variable
            ``ACTORS_DISABLE_CONSOLE_OUTPUT`` is set.
    """

    name: str = attrs.field(validator=attrs.validators.instance_of(str))
    console: bool | None = attrs.field(default=None, kw_only=True, repr=False)
    _observed: Observed = attrs.field(factory=Observed, init=False, repr=False)
    _increments: Increments = attrs.field(factory=Increments, init=False, repr=False)
    _output: Console = attrs.field(factory=Console, init=False, repr=False)

    # -- hearing

    async def observe(self, msg: Input) -> None:
        """Hear something without a reply; the next reply gets it from `take_observed`.

        It is called between runs (see `AgentRef.observe`), with what others let the agent hear; by `handle_interrupt`;
        and by the agent's own code. An override may keep a memory of its own instead.

        Args:
            msg: a message or several, of which copies are kept; None is nothing.

        Raises:
            TypeError: it is something else.
        """
        self._observed.hear(messages_in(msg, f"observe of {self.name}"))

    def take_observed(self, message: Input = None) -> list[Msg]:
        """Move what the agent has heard, then the input, out into a history for this reply.

        The rule, for what one reply has taken:

        1.  It is the reply's until the reply ends. The list and its messages are copies: changing them changes nothing
        else. 2.  If the reply *completes*, with or without an interrupt in the meantime, it is used up and forgotten.
        3.  If the reply ends in any other way (interrupted, failed, killed, stopped), it is given back: it comes first
        again
            in the next history, before anything heard during the reply. After an interrupt the part of the reply that
            had been said follows it (`handle_interrupt`). So the next history is what the model had been given, what it
            had said, the new input.
        4.  Not so after `used_up`: what had been taken until then is never given back. An agent that adds its history
            to a memory of its own, or sends it to somebody who remembers, calls it when that is done.
        5.  The same message (equal, id included) is in a history once. An input that is asked again after an interrupt
            or a failure is not sent twice: it comes last, as the input.
        6.  What is heard *during* a reply, after its call of this method, waits for the next call or the next reply.

        An input that is not taken is nobody's: call this before the first ``await`` of the reply. (The input of a run
        that was interrupted before it began is observed by `handle_interrupt`, and so in the next history.)

        Args:
            message: the input of this reply. A second call in one reply gives only what is new.

        Raises:
            TypeError: the input is no Msg, list of Msg, or None.
            UsageError: it is called by something other than the agent's reply.
        """
        self._require_reply("take_observed")
        return self._observed.take(messages_in(message, f"take_observed of {self.name}"))

    def used_up(self) -> None:
        """What this reply has taken so far is used up, however the reply ends; see `take_observed`.

        ::

            self.memory += self.take_observed(message)
            self.used_up()

        Raises:
            UsageError: it is called by something other than the agent's reply.
        """
        self._require_reply("used_up")
        self._observed.drop_taken()

    # -- speaking

    async def print(self, msg: Msg, last: bool = True) -> None:  # noqa: FBT001, FBT002 - AgentScope's signature
        """Show a message on the console, and emit it as part of the reply that runs now.

        A message that grows is printed again and again with ``last=False``, then once with ``last=True``; each time
        what is new is written and emitted, as a `Msg` with the same id. With the console off it is emitted all the
        same. Outside a reply it is only written.

        Args:
            msg: the message as it is now.
            last: whether it is complete.

        Raises:
            TypeError: it is no Msg.
        """
        if not isinstance(msg, Msg):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
            raise TypeError(f"print of {self.name} takes a Msg, not {type(msg).__name__}: {msg!r:.80}")
        piece = self._increments.of(msg, last=last)
        show = wanted(self.console)
        if piece is not None:
            context = self._context_if_spawned()
            if context is not None and context.run is not None:
                context.emit(piece)
            if show:
                self._output.show(piece)
        if last and show:
            self._output.end_line()

    @override
    def assemble(self, chunks: Sequence[Chunk], /) -> Msg:
        """Join what a generator has yielded to one message from this agent, in the role of the assistant.

        Raises:
            TypeError: a chunk is neither a str nor a Msg.
        """
        return joined(self.name, chunks)

    @override
    async def handle_interrupt(self, message: Any, interruption: Interruption[Chunk], /) -> Msg:
        """Make the reply of a run that was interrupted: what had been said so far, or that the interrupt was noticed.

        In this order: a message is made, in the role of the assistant, whose metadata say ``_is_interrupted`` (True),
        ``reason``, ``by`` and ``run_id``; it is printed with ``last=True``; it is observed, so that the next reply
        knows; and it is returned. The input of a run that had not begun is observed before it, and what the interrupter
        said (a str, a Msg or a list of Msg) after it. Calls of tools and thinking are not what was said, and are left
        out.

        Interrupted again before anything else is heard, the agent remembers one such message and not a row of them.

        Raises:
            TypeError: the reply had yielded something other than str and Msg.
        """
        if not interruption.started:
            await self.observe(message)
        reply = self._cut_off(interruption)
        await self.print(reply, last=True)
        await self.observe(reply)
        said = interruption.message
        if isinstance(said, str):
            said = Msg(interruption.by or "user", said, "user")
        if isinstance(said, (Msg, list)):
            await self.observe(cast("Input", said))
        return reply

    def _cut_off(self, interruption: Interruption[Chunk]) -> Msg:
        said = joined(self.name, interruption.partial)
        blocks: list[ContentBlock] = [
            block
            for block in said.get_content_blocks(("text", "image", "audio", "video"))
            if block["type"] != "text" or block["text"].strip()
        ]
        if not blocks:
            said = Msg(self.name, NOTHING_SAID, "assistant", said.metadata)
        elif not isinstance(said.content, str):
            said.content = blocks
        said.metadata |= {
            INTERRUPTED: True,
            "reason": interruption.reason,
            "by": interruption.by,
            "run_id": interruption.run_id,
        }
        return said

    # -- saving

    def state_dict(self) -> dict[str, JSON]:
        """What the agent would have to be told after a restart, as JSON: ``observed``, a list of messages.

        Taken while a reply runs, it includes what that reply has taken. A subclass adds its own:
        ``return super().state_dict() | {"memory": ...}``.

        Raises:
            TypeError: a message holds something that is not JSON.
        """
        return {"observed": [message.to_dict() for message in self._observed.messages()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become the agent that gave this state: what was observed before is forgotten. Other keys are left alone.

        Args:
            state: what `state_dict` gave, also after a round through JSON.

        Raises:
            TypeError: it is not a dict with a list.
            ValueError: ``observed`` is missing, or one of its messages is none. Nothing was changed then.
        """
        if not isinstance(state, dict) or not isinstance(state.get("observed", []), list):
            raise TypeError(f"load_state_dict of {self.name} takes what state_dict gave, not {state!r:.80}")
        if "observed" not in state:
            keys = sorted(map(str, state))
            raise ValueError(f"load_state_dict of {self.name}: 'observed' is missing; there are {keys}")
        self._observed.replace([Msg.from_dict(each) for each in state["observed"]])

    # -- for the machinery

    @override
    def _make_ref(self, cell: Cell) -> AgentRef:
        return AgentRef(cell)

    @override
    def _default_name(self) -> str | None:
        return self.name

    @override
    def _check(self) -> None:
        if "_observed" not in self.__dict__:
            kind = type(self).__qualname__
            raise SpawnError(f"{kind}.__init__ has to call super().__init__(name), and did not")
        super()._check()

    @override
    def _reply_ended(self, status: Status, /) -> None:
        if status == "completed":
            self._observed.drop_taken()
        else:
            self._observed.give_back()
        if status != "interrupted":  # handle_interrupt still has to print what is left
            self._increments.forget()
            self._output.end_line()

    def _context_if_spawned(self) -> ActorContext[Any, Msg, Chunk] | None:
        return self.__dict__.get("_actor_context")

    def _require_reply(self, what: str) -> None:
        context = self._context_if_spawned()
        run = context.run if context is not None else None
        if run is None or run.phase is not Phase.REPLYING:
            raise UsageError(f"{what} of {self.name} belongs into its reply, and was called outside of one")
