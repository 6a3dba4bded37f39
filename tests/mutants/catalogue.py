"""The mutants: small faults, each of which breaks a promise, and the tests of which one must notice it."""

from __future__ import annotations

import attrs


@attrs.frozen
class Edit:
    """One change of one file: ``before`` stands there once."""

    file: str
    before: str
    after: str


@attrs.frozen
class Mutant:
    """A fault.

    Attributes:
        name: what is wrong, as a sentence.
        edits: how the fault is made.
        tests: what pytest is given; one test of these must fail.
    """

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def mutant(name: str, file: str, before: str, after: str, *tests: str) -> Mutant:
    return Mutant(name, (Edit(f"actors/{file}", before, after),), tuple(f"tests/{test}" for test in tests))


MUTANTS = (
    # -- whose cancellation is it?
    mutant(
        "a cancellation of the whole system is taken for one of the reply's own",
        "_worker.py",
        "elif is_fatal(raised) or self._system_cancelled(broken=broken):",
        "elif is_fatal(raised):",
        "truth_table/test_cut_around_the_system.py",
        "truth_table/test_shutdown_and_interrupt.py",
    ),
    mutant(
        "an exception that means the end of the program is taken for an error of the reply",
        "_fatal.py",
        "return isinstance(error, BaseException) and not isinstance(error, (Exception, get_cancelled_exc_class()))",
        "return isinstance(error, GeneratorExit)",
        "truth_table/test_ctrl_c.py",
    ),
    mutant(
        "a cancellation of the asker is swallowed by the ask",
        "_asking.py",
        '        asker_gone(run, asker, "asker_gone")\n        raise',
        '        asker_gone(run, asker, "asker_gone")\n        return None',
        "truth_table/test_cut_around_the_asker.py",
        "core/test_asker_gone.py",
    ),
    mutant(
        "a stray cancellation is taken for an interrupt",
        "_outcomes.py",
        "    elif ending is Ending.STRAY and run.request is None:\n"
        '        conclude(cell, run, "failed", error=_cancelled_error(cell, run, value))',
        "    elif ending is Ending.STRAY and run.request is None:\n"
        '        conclude(cell, run, "interrupted", error=_cancelled_error(cell, run, value))\n'
        "        run.request = Interruption(run_id=run.id)",
        "truth_table/test_nobody_asked_for_this_cancellation.py",
        "truth_table/test_native_cancel_of_a_worker.py",
    ),
    mutant(
        "a native cancellation of a worker takes the system down",
        "_executor.py",
        "if is_fatal(error) or anyio.current_effective_deadline() == -math.inf:",
        "if True:",
        "truth_table/test_native_cancel_of_a_worker.py",
        "truth_table/test_generators.py",
    ),
    mutant(
        "handle_interrupt does not let a cancellation of the host go first",
        "_worker.py",
        "await self._executor.sentinel.let_host_unwind()",
        "pass",
        "truth_table/test_cut_around_the_system.py",
        "truth_table/test_ctrl_c.py",
    ),
    mutant(
        "replies begin while the system is being cancelled",
        "_worker.py",
        "if sentinel.wait.cancelled():",
        "if False:",
        "truth_table/test_at_the_edges_of_a_run.py",
        "truth_table/test_shutdown_and_interrupt.py",
        "truth_table/test_cut_around_the_system.py",
    ),
    # -- one scope for one reply
    mutant(
        "a cancelled scope is shared with the next reply",
        "_worker.py",
        "while self._goes_on() and not self._outer.cancel_called:",
        "while self._goes_on():",
        "truth_table/test_awkward_endings.py",
        "truth_table/test_kinds_of_await.py",
    ),
    Mutant(
        "handle_interrupt runs inside the cancelled scope",
        (
            Edit(
                "actors/_worker.py",
                "while self._goes_on() and not self._outer.cancel_called:",
                "while self._goes_on():",
            ),
            Edit(
                "actors/_worker.py",
                "                                    self.thrown = error\n                                    raise\n",
                "                                    ending, value = Ending.CUT, None\n",
            ),
        ),
        ("tests/truth_table/test_kinds_of_await.py", "tests/core/test_interrupt_running.py"),
    ),
    mutant(
        "a worker whose task is not clean goes on",
        "_worker.py",
        "        if self._task is not None and self._task.cancelling():\n            self.clean = False",
        "        if self._task is not None and self._task.cancelling():\n            self.clean = True",
        "truth_table/test_native_cancel_of_a_worker.py",
        "truth_table/test_awkward_endings.py",
    ),
    mutant(
        "an interrupt reaches handle_interrupt itself",
        "_interrupt.py",
        '    if phase is HANDLING:\n        return "handling"',
        '    if phase is HANDLING:\n        cut(run, grace)\n        return "handling"',
        "core/test_interrupt_running.py",
    ),
    mutant(
        "handle_interrupt has no time limit",
        "_cell.py",
        "return None if self.step is Step.REPLY or self.step is Step.START else self.interrupt_timeout",
        "return None",
        "core/test_interrupt_running.py",
    ),
    # -- the right run, once
    Mutant(
        "an actor between two runs still has the old one",
        (
            Edit("actors/_outcomes.py", "    cell.current = None\n", ""),
            Edit(
                "actors/_cell.py",
                "            self.current = None  # what conclude() comes to",
                "            # what conclude() comes to",
            ),
        ),
        ("tests/core/test_interrupt_idle.py",),
    ),
    mutant(
        "a second interrupt replaces the first",
        "_interrupt.py",
        "    if run.request is not None:\n        return",
        "    if run.request is not None and phase is not REPLYING:\n        return",
        "core/test_interrupt_running.py",
    ),
    Mutant(
        "an interrupted reply that has returned is interrupted all the same",
        (
            Edit(
                "actors/_outcomes.py",
                '    if ending is Ending.RETURNED:\n        conclude(cell, run, "completed", value)',
                '    if ending is Ending.RETURNED and run.request is None:\n        conclude(cell, run, "completed", value)',
            ),
            Edit(
                "actors/_cell.py", "not (run.registered or self.hears_endings)", "not (run.registered or run.request)"
            ),
        ),
        ("tests/core/test_in_spite_of_an_interrupt.py", "tests/truth_table/test_awkward_endings.py"),
    ),
    Mutant(
        "a request is settled by the last one who tries",
        (
            Edit("actors/_run.py", "        if self.phase is SETTLED:\n            return False\n", ""),
            Edit(
                "actors/_outcomes.py",
                "    if not run.settled:  # else whoever asked has been told already\n",
                "    if cell is not None:\n",
            ),
            Edit(
                "actors/_outcomes.py",
                "    if run.settled:\n        return\n    assert run.outcome",
                "    assert run.outcome",
            ),
        ),
        ("tests/core/test_stuck_handlers.py",),
    ),
    mutant(
        "a run id of another run counts as this one's",
        "_outcomes.py",
        "if not isinstance(error, RunCancelledError) or error.run_id != run.known_id:",
        "if not isinstance(error, RunCancelledError):",
        "core/test_in_spite_of_an_interrupt.py",
    ),
    # -- what is told
    mutant(
        "handle_interrupt is not given the partial reply",
        "_cell.py",
        "run.request.with_partial(run.partial, started=run.started)",
        "run.request.with_partial((), started=run.started)",
        "core/test_interrupt_running.py",
        "truth_table/test_kinds_of_await.py",
    ),
    mutant(
        "a run that never began is told as one that did",
        "_cell.py",
        "run.request.with_partial(run.partial, started=run.started)",
        "run.request.with_partial(run.partial)",
        "core/test_interrupt_queued.py",
    ),
    mutant(
        "chunks are delivered after the end of their reply",
        "_run.py",
        "        if self.phase is not REPLYING:\n            return\n",
        "",
        "truth_table/test_stuck_replies_afterwards.py",
        "core/test_stuck.py",
    ),
    mutant(
        "the reason of an interrupt is lost on the way down",
        "_interrupt.py",
        'interrupt_run(child, reason=request.reason, by=request.by, source="ancestor", below=below)',
        'interrupt_run(child, source="ancestor", below=below)',
        "core/test_tree.py",
    ),
    mutant(
        "a receipt does not wait for what is below",
        "_interrupt.py",
        "        runs += each.cut_children or ()\n",
        "",
        "core/test_tree.py",
    ),
    mutant(
        "an interrupt is counted as a failure",
        "_outcomes.py",
        "        cell.interrupted += 1",
        "        cell.failed += 1",
        "core",
    ),
    # -- trees and askers
    mutant(
        "the loss of the asker is forgotten",
        "_interrupt.py",
        "    else:\n        interrupt_run(run, source=source)",
        "    else:\n        pass",
        "core/test_asker_gone.py",
    ),
    mutant(
        "a queued message whose asker is gone is answered all the same",
        "_interrupt.py",
        "        run.cell.take_back(run)\n        run.settle(",
        "        run.settle(",
        "core/test_asker_gone.py",
    ),
    mutant(
        "what was requested in a run survives its interrupt",
        "_interrupt.py",
        "    to_visit = [run] if below else []\n",
        "    to_visit: list[Run[Any, Any]] = []\n",
        "core/test_tree.py",
    ),
    mutant(
        "detached work is interrupted with its asker",
        "_interrupt.py",
        "    if run.detached:\n        return\n",
        "",
        "core/test_asker_gone.py",
        "core/test_tree.py",
    ),
    mutant(
        "an ask's own timeout is told as the loss of the asker",
        "_asking.py",
        'asker_gone(run, asker, "deadline")',
        'asker_gone(run, asker, "asker_gone")',
        "core/test_asker_gone.py",
    ),
    mutant(
        "waiting in a circle hangs",
        "_waiting.py",
        "    if circle is not None:",
        "    if circle is not None and len(circle) > 99:",
        "core/test_cycles.py",
    ),
    # -- the mailbox
    mutant(
        "a queued run that is interrupted waits behind the others",
        "_cell.py",
        "            if self.urgent and self.ending is not End.RESTART:",
        "            if self.urgent and not len(self.queue):",
        "core/test_interrupt_queued.py",
    ),
    mutant(
        "taking a message wakes no waiting sender",
        "_mailbox_policy.py",
        "            letter.mail.queued = False\n            self._admit()\n            if letter",
        "            letter.mail.queued = False\n            if letter",
        "core/test_mailbox.py",
    ),
    mutant(
        "a cancelled sender leaves its message behind",
        "_sending.py",
        "    except BaseException:\n        queue.withdraw(mail)\n        raise",
        "    except BaseException:\n        raise",
        "core/test_mailbox.py",
    ),
    mutant(
        "a backlog is taken from its end",
        "_mailbox.py",
        "self._first = rest.popleft()",
        "self._first = rest.pop()",
        "core/test_order.py",
        "core/test_mailbox.py",
    ),
    mutant(
        "a reply that suspends takes the others' wake-up with it",
        "_executor.py",
        "        self._awake -= 1\n        if self.ready and not self._awake:\n            self._wake_one()\n\n    def awoken",
        "        self._awake -= 1\n\n    def awoken",
        "core/test_order.py",
        "core/test_tree.py",
        "core/test_interrupt_running.py",
    ),
    # -- mailboxes with policies
    mutant(
        "an urgent message is taken after the others",
        "_mailbox_policy.py",
        "lane = self._lanes[self._priorities[-1]]",
        "lane = self._lanes[self._priorities[0]]",
        "core/test_mailbox_policies.py",
        "core/test_mailbox_model.py",
    ),
    mutant(
        "the newest message is dropped in place of the oldest",
        "_mailbox_policy.py",
        'self.mailbox.when_full == "drop_newest"',
        'self.mailbox.when_full == "drop_oldest"',
        "core/test_mailbox_model.py",
        "core/test_mailbox_policies.py",
    ),
    mutant(
        "a message that has expired is answered all the same",
        "_mailbox_policy.py",
        "            if letter.deadline > now:",
        "            if letter.deadline > 0:",
        "core/test_mailbox_model.py",
        "core/test_mailbox_expiry.py",
    ),
    mutant(
        "a dropped message is no dead letter",
        "_overflow.py",
        '    cell.system.dead_letters.add(cell, dropped.message, "the mailbox was full", sender)\n',
        "    assert sender is None or sender is not None\n",
        "core/test_mailbox_policies.py",
    ),
    mutant(
        "whoever asked for a dropped message waits for ever",
        "_overflow.py",
        "    _undelivered(cell, dropped, MessageDropped(text, ref=cell.ref))\n",
        "    assert MessageDropped(text)\n",
        "core/test_mailbox_policies.py",
    ),
    mutant(
        "a flood of dead letters floods the log",
        "_log_limit.py",
        "        if self._written < self._burst:",
        "        if self._written < 99 * self._burst:",
        "core/test_dead_letter_stream.py",
    ),
    # -- stash and timers
    mutant(
        "what was stashed comes behind what is queued",
        "_stash.py",
        "        cell.queue.put_first(runs)\n",
        "        for run in runs:\n            cell.queue.put(run)\n",
        "core/test_stash.py",
    ),
    mutant(
        "a stashed run that is interrupted stays in the stash",
        "_cell.py",
        "            self.stash.pop(run, None)\n",
        "            pass\n",
        "core/test_stash.py",
    ),
    mutant(
        "what is stashed is forgotten when its actor ends",
        "_ending.py",
        "    for run in take_stash(cell):\n        refuse(cell, run)\n",
        "    take_stash(cell)\n",
        "core/test_stash.py",
    ),
    mutant(
        "timers go on while the system drains",
        "_lifetime.py",
        "    _end_timers(system)\n    system.commits.limit",
        "    system.commits.limit",
        "core/test_timers.py",
    ),
    mutant(
        "ticks pile up while the actor is slow",
        "_timers.py",
        "            if self._undelivered():",
        "            if self._undelivered() and cell.dead:",
        "core/test_timers.py",
    ),
    mutant(
        "an interval drifts",
        "_timers.py",
        "        due = self._begun + count * self._seconds\n",
        "        due = now + self._seconds\n",
        "core/test_timers.py",
    ),
    mutant(
        "a cancelled timer is waited for",
        "_timers.py",
        "        cell.system.timetable.look_again()\n",
        "",
        "core/test_timers.py",
    ),
    # -- groups
    mutant(
        "a worker that has died is not replaced",
        "_crew.py",
        "            self._failures = 0\n            self._fill(dead)\n",
        "            self._failures = 0\n",
        "core/test_pool.py",
    ),
    mutant(
        "a pool that is interrupted tells of the best that came of one",
        "_pool.py",
        "return min(receipts, key=",
        "return max(receipts, key=",
        "core/test_pool.py",
    ),
    mutant(
        "a subscriber that is full keeps the others from being told",
        "_topic.py",
        "            except UsageError:\n                raise  # the publisher's own fault\n",
        "            except UsageError:\n                raise\n            except Exception:\n                break\n",
        "core/test_topic.py",
    ),
    # -- protection
    mutant(
        "protect() protects nothing",
        "_interrupt.py",
        "if phase is REGISTERING or run.protected:",
        "if phase is REGISTERING:",
        "core/test_protect.py",
    ),
    mutant(
        "a deferred interrupt is forgotten at the end of the section",
        "_protect.py",
        "            cut(run)\n",
        "",
        "core/test_protect.py",
    ),
    mutant(
        "a commit runs in the task that is cancelled",
        "_commit.py",
        "    write = _Write(cell, function, args)\n",
        "    with anyio.CancelScope(shield=True):\n"
        "        return await function(*args)\n"
        "    write = _Write(cell, function, args)\n",
        "core/test_commit.py",
    ),
    mutant(
        "a commit swallows the cancellation that came meanwhile",
        "_commit.py",
        "    if native is not None:\n",
        "    if native is not None and write.error is not None:\n",
        "core/test_commit.py",
    ),
    # -- stuck replies
    Mutant(
        "a reply that refuses to end burns the processor",
        (
            Edit(
                "actors/_worker.py",
                "        self.quiet = self._may_hear = quiet\n        self._inner.shield = quiet",
                "        pass",
            ),
        ),
        ("tests/core/test_stuck.py", "tests/truth_table/test_stuck_replies.py"),
    ),
    mutant(
        "the asker of a stuck reply hears nothing when the actor is stopped",
        "_ending.py",
        '        conclude(cell, run, "failed", error=stuck_error(cell, run, where))\n',
        "        cell.current = None\n",
        "core/test_stuck.py",
        "truth_table/test_stuck_replies_afterwards.py",
    ),
    # -- between two steps
    mutant(
        "a run that was interrupted between two steps replies all the same",
        "_outcomes.py",
        "    if step is Step.REPLY and run.request is not None:",
        "    if step is Step.REPLY and run.request is not None and run.id == '':",
        "managers/test_between_steps.py",
    ),
    mutant(
        "an actor that was killed between two steps goes on to the next",
        "_outcomes.py",
        "    if cell.ending is not None and cell.ending.kills:\n"
        '        conclude(cell, run, "stopped", error=stopped_error(cell, run))\n'
        "        return False",
        "    if False:\n        return False",
        "managers/test_while_registering.py",
    ),
    mutant(
        "a run that is over is known in a thread that has copied its context",
        "_current.py",
        " or threading.get_ident() != run.cell.system.thread",
        "",
        "core/test_systems_in_threads.py",
    ),
    # -- contexts
    mutant(
        "a reply does not see its asker's context variables",
        "_sending.py",
        "copy_context()",
        "cell.system.context.copy()",
        "core/test_context_variables.py",
    ),
    # -- ending
    Mutant(
        "what is queued is forgotten when its actor is stopped",
        (
            Edit("actors/_ending.py", "    if end.refuses:\n        refuse_all(cell)\n", ""),
            Edit("actors/_ending.py", "    refuse_all(cell)\n    if cell.current", "    if cell.current"),
        ),
        ("tests/core/test_stop.py", "tests/core/test_settles_once.py"),
    ),
    mutant(
        "children end in the order in which they were started",
        "_ending.py",
        "child = next(reversed(cell.children.values()))",
        "child = next(iter(cell.children.values()))",
        "core/test_stop.py",
        "core/test_leaving.py",
        "supervision/test_families.py",
    ),
    mutant(
        "children that are killed end in whatever order they come",
        "_ending.py",
        "    elif not _waits_for_its_turn(cell):\n",
        "    else:\n",
        "supervision/test_families.py",
    ),
    # -- supervision
    mutant(
        "a watcher is told twice of one death",
        "_death_watch.py",
        "    if not any(_is_about(mail, target) for mail in watcher.urgent or ()):\n",
        "    if target.dead:\n",
        "supervision/test_death_watch.py",
    ),
    mutant(
        "a watcher that is restarted hears nothing of what came while it was away",
        "_death_watch.py",
        "    if watcher.dead or (watcher.ending is not None and watcher.ending.refuses):\n",
        "    if watcher.dead or watcher.ending is not None:\n",
        "supervision/test_death_watch.py",
    ),
    Mutant(
        "a restart goes on with the old instance",
        (
            Edit("actors/_supervisor.py", "self.cell.empty()\n", "self.cell.empty()\n        self._old = actor\n"),
            Edit("actors/_supervisor.py", "actor = context.run(make, self._factory)", "actor = self._old"),
        ),
        ("tests/supervision/test_restart.py",),
    ),
    mutant(
        "a budget is never exhausted",
        "_restart_budget.py",
        "if len(self._spent) >= self._times:",
        "if self._times == 0:",
        "supervision/test_budget_and_backoff.py",
    ),
    mutant(
        "the pauses never begin anew",
        "_backoff.py",
        "if up_since is not None and now - up_since >= self._backoff.reset_after:",
        "if up_since is None and now < 0:",
        "supervision/test_budget_and_backoff.py",
    ),
    mutant(
        "the message that failed is tried again by the new instance",
        "_outcomes.py",
        "            cell.supervised.failed(error, asked=",
        "            cell.queue.put(Run(cell, run.message, cell.system.context.copy(), run.origin))\n"
        "            cell.supervised.failed(error, asked=",
        "supervision/test_restart.py",
    ),
    mutant(
        "what a stuck reply does later reaches the new instance",
        "_supervisor.py",
        "                context._cell = _ghost(self.cell)\n",
        "                context._cell = self.cell\n",
        "supervision/test_stuck_replies.py",
    ),
    mutant(
        "an error that an asker has been told is a failure all the same",
        "_supervisor.py",
        "directive = self.policy.directive(error, asked=asked)",
        "directive = self.policy.directive(error, asked=False)",
        "supervision/test_directives.py",
    ),
    mutant(
        "an interrupt is a failure",
        "_supervisor.py",
        " or isinstance(error, Interrupted):",
        ":",
        "supervision/test_directives.py",
    ),
    mutant(
        "an actor that is stopped while it waits for its restart comes back",
        "_ending.py",
        "    if cell.dead or (cell.ending is not None and cell.ending >= end):\n",
        "    if cell.dead or (cell.ending is not None and (cell.ending >= end or cell.actor is None)):\n",
        "supervision/test_budget_and_backoff.py",
    ),
    mutant(
        "a second signal is taken for the first",
        "_signals.py",
        "        if self.stopping.signal is None:\n",
        "        if number:\n",
        "ending/test_signals.py",
    ),
    mutant(
        "a slow reader of events keeps them all",
        "_events.py",
        "if len(self._waiting) == self._capacity:",
        "if not self._capacity:",
        "core/test_events.py",
    ),
    # -- managers
    mutant(
        "a run stays registered after its end",
        "_outcomes.py",
        "            return\n        _release_inline(cell, run, cell.registrar)\n",
        "            return\n",
        "test_manager_injection.py",
    ),
    mutant(
        "a cancel that came before the registration is forgotten",
        "_outcomes.py",
        "    if intent is not None:\n        interrupt_run(",
        "    if intent is not None and intent.reason == 'never':\n        interrupt_run(",
        "test_manager_injection.py",
    ),
    mutant(
        "a cancel through one manager reaches the runs of another",
        "_managers.py",
        "if run is not None and run.cell.registrar is registrar:",
        "if run is not None:",
        "test_manager_injection.py",
    ),
    # -- agents
    mutant(
        "an interrupted agent does not remember what it had said",
        "agents/_agent.py",
        "        await self.observe(reply)\n",
        "",
        "test_agent_interrupts.py",
    ),
    mutant(
        "an interrupted reply has used up what it had heard",
        "agents/_agent.py",
        '        if status == "completed":\n            self._observed.drop_taken()',
        '        if status != "failed":\n            self._observed.drop_taken()',
        "test_agent_history.py",
        "test_agent_interrupts.py",
    ),
)
