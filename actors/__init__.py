"""bargein: actors whose replies can be interrupted.

*Interrupt* means here: stop the current reply now and turn it into a reply. (LangGraph and AG-UI use the word for "pause and ask
a human"; ours is AG-UI's ``cancelled`` and A2A's ``CANCELED``.)
"""

# General layout
# --------------
# Every module whose name begins with an underscore is private; this file and the modules without one are the public doors.
# Imports point one way, from the bottom of this list to its top; tests/test_imports.py holds that.
#
#   _errors, _interruption, _logging                 records, errors, log events
#   _events, events                                  what happens in a system, for those who watch it
#   _cancellation, abc, _memory_manager, _registrar  where runs are registered and marked as cancelled
#   _waiter, _mailbox, _run, _waiting                one message on its way, and who waits for it
#   _mailbox_policy, _overflow, _dead_letters        messages that may have to give way, and who is told
#   _interrupt, _outcomes, _ending, _cell            one actor: what it does next, and what an ending means
#   _stash, _behaviour, _timers, _incarnation        what an actor does about its own messages
#   _worker, _executor, _timetable, _watchdog        how a step is run: the one place that opens the scope of a reply
#   _supervision, _supervisor, _restart, _death_watch  what happens when an actor fails or ends, and who hears of it
#   _ref, _actor, _context, _spawn, _system          what users hold
#   _topic, _crew, _pool                             groups of actors
#   debug                                            what is going on
#   agents                                           actors that talk in messages
#   testing                                          for tests

from actors._actor import Actor
from actors._backoff import Backoff
from actors._context import ActorContext
from actors._death_watch import Terminated
from actors._errors import (
    ActorError,
    ActorStopped,
    AskCycleError,
    AskTimeout,
    BlockingCallError,
    DeliveryError,
    DuplicateRunError,
    Interrupted,
    MailboxFull,
    ManagerError,
    MessageDropped,
    MessageExpired,
    MessageWithdrawn,
    ReplyCancelled,
    ReplyError,
    ReplyStuckError,
    ReplyTypeError,
    RunCancelledError,
    RunCancelledException,
    SpawnError,
    UsageError,
    WrongLoopError,
    WrongThreadError,
)
from actors._events import DeadLetter
from actors._interruption import Interruption, Outcome, Receipt, Source
from actors._left_queued import LeftQueued
from actors._mailbox import Mailbox, MailboxStatistics
from actors._memory_manager import InMemoryCancellationManager
from actors._pool import Pool, PoolRef
from actors._ref import ActorRef
from actors._run import Run, Status
from actors._signals import Stopping, stop_on_signals
from actors._statistics import ActorStatistics
from actors._supervision import Supervision, one_for_all, one_for_one, rest_for_one
from actors._system import ActorSystem
from actors._timers import Timer
from actors._topic import Topic
from actors.agents import Agent, AgentRef, Msg

__all__ = [
    "Actor",
    "ActorContext",
    "ActorError",
    "ActorRef",
    "ActorStatistics",
    "ActorStopped",
    "ActorSystem",
    "Agent",
    "AgentRef",
    "AskCycleError",
    "AskTimeout",
    "Backoff",
    "BlockingCallError",
    "DeadLetter",
    "DeliveryError",
    "DuplicateRunError",
    "InMemoryCancellationManager",
    "Interrupted",
    "Interruption",
    "LeftQueued",
    "Mailbox",
    "MailboxFull",
    "MailboxStatistics",
    "ManagerError",
    "MessageDropped",
    "MessageExpired",
    "MessageWithdrawn",
    "Msg",
    "Outcome",
    "Pool",
    "PoolRef",
    "Receipt",
    "ReplyCancelled",
    "ReplyError",
    "ReplyStuckError",
    "ReplyTypeError",
    "Run",
    "RunCancelledError",
    "RunCancelledException",
    "Source",
    "SpawnError",
    "Status",
    "Stopping",
    "Supervision",
    "Terminated",
    "Timer",
    "Topic",
    "UsageError",
    "WrongLoopError",
    "WrongThreadError",
    "one_for_all",
    "one_for_one",
    "rest_for_one",
    "stop_on_signals",
]
