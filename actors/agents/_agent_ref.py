"""The ref of an agent: that of an actor, and ``observe``."""

from __future__ import annotations

from contextvars import copy_context
from typing import TypeAlias

from actors._current import sender
from actors._note import Note
from actors._ref import ActorRef
from actors._sending import send, takes_mail
from actors._thread_check import check_thread
from actors.agents._chunks import Chunk
from actors.agents._message import Msg
from actors.agents._observed import messages_in

Input: TypeAlias = Msg | list[Msg] | None
"""What an agent is asked or told, and what it observes: a message, several, or nothing new."""


class AgentRef(ActorRef[Input, Msg, Chunk]):
    """An agent, for everybody else."""

    __slots__ = ()

    async def observe(self, msg: Input) -> None:
        """Let the agent hear something, without a reply; waits for room if the mailbox is full.

        It is heard between two runs, in order with the caller's other messages, and is not a run itself: it cannot be
        interrupted, and an interrupt does not touch it. The agent gets a copy. To an agent that has ended it becomes a
        dead letter; an error in the agent's `Agent.observe` is logged.

        Args:
            msg: a message or several; None is nothing.

        Raises:
            TypeError: it is something else.
            MailboxFull: the mailbox is full, and lets nobody wait.
            AskCycleError: the mailbox is full, and waiting for room would be waiting for oneself.
            WrongThreadError: off the system's event loop.
        """
        cell = self._cell
        check_thread(cell)
        messages = messages_in(msg, f"observe of {self.path}")
        if not messages:
            return
        if takes_mail(cell):
            await send(cell, Note("observe", messages, copy_context()))
        else:
            reason = "the actor has stopped" if cell.dead else "the actor is stopping"
            cell.system.dead_letters.add(cell, messages, reason, sender())
