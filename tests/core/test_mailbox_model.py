"""Promise 8, 9, 17, R49: a mailbox with policies against a model of it that is as plain as can be."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import Mailbox
from actors._mailbox_policy import PolicyQueue


@attrs.define(eq=False)
class Mail:
    message: tuple[int, float]  # priority, seconds
    queued: bool = False


@attrs.define(eq=False)
class Waiter:
    woken: int = 0

    def done(self):
        return False  # so that a second wake is counted

    def set_result(self, _result):
        self.woken += 1


@attrs.define
class Model:
    """Lists, sorted when somebody looks."""

    mailbox: Mailbox
    now: float = 0.0
    first: list = attrs.field(factory=list)
    waiting: list = attrs.field(factory=list)  # (mail, deadline), in the order in which they got in
    blocked: list = attrs.field(factory=list)
    expired: list = attrs.field(factory=list)

    @property
    def full(self):
        return self.mailbox.capacity is not None and len(self.first) + len(self.waiting) >= self.mailbox.capacity

    def in_order(self, entries):
        return sorted(entries, key=lambda entry: -entry[0].message[0])  # sorting is stable

    def order(self):
        return self.first + [mail for mail, _ in self.in_order(self.waiting)]

    def entry(self, mail):
        return (mail, self.now + mail.message[1])

    def drop(self, mail):
        entries = [*self.waiting, self.entry(mail)]
        lowest = min(each.message[0] for each, _ in entries)
        least = [entry for entry in entries if entry[0].message[0] == lowest]
        dropped = least[-1] if self.mailbox.when_full == "drop_newest" else least[0]
        entries.remove(dropped)
        self.waiting = entries
        return dropped[0]

    def take(self):
        taken = None
        if self.first:
            taken = self.first.pop(0)
            self.admit()
            return taken
        while self.waiting:
            entry = self.in_order(self.waiting)[0]
            self.waiting.remove(entry)
            self.admit()
            if entry[1] > self.now:
                return entry[0]
            self.expired.append(entry[0])
        return None

    def withdraw(self, mail):
        before = len(self.first) + len(self.waiting) + len(self.blocked)
        self.first = [each for each in self.first if each is not mail]
        self.waiting = [entry for entry in self.waiting if entry[0] is not mail]
        self.blocked = [entry for entry in self.blocked if entry[0] is not mail]
        self.admit()
        return before > len(self.first) + len(self.waiting) + len(self.blocked)

    def admit(self):
        while self.blocked and not self.full:
            entry = self.in_order(self.blocked)[0]
            self.blocked.remove(entry)
            self.waiting.append(entry)


mailboxes = st.builds(
    Mailbox,
    st.one_of(st.none(), st.integers(1, 4)),
    when_full=st.sampled_from(["block", "reject", "drop_oldest", "drop_newest"]),
    priority=st.just(lambda message: message[0]),
    expiry=st.just(lambda message: message[1]),
)
steps = st.one_of(
    st.tuples(st.just("send"), st.integers(-1, 1), st.sampled_from([1.0, 3.0, 1000.0])),
    st.tuples(st.just("take"), st.just(0), st.just(0)),
    st.tuples(st.just("withdraw"), st.integers(0, 50), st.just(0)),
    st.tuples(st.just("put back"), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("clear"), st.just(0), st.just(0)),
)


@given(mailbox=mailboxes, program=st.lists(steps, max_size=60))
@settings(max_examples=300, deadline=None)
def test_it_does_what_the_model_does(mailbox, program):  # noqa: C901, PLR0915 - read from top to bottom
    model = Model(mailbox)
    expired, sent, taken, waiters = [], [], [], {}
    queue = PolicyQueue(mailbox, lambda: model.now, lambda: None, lambda mail, _: expired.append(mail), None)
    peak = 0
    for what, number, seconds in program:
        if what == "send":
            mail = Mail((number, seconds))
            assert queue.full == model.full
            if not queue.full:
                queue.put(mail)
                model.waiting.append(model.entry(mail))
            elif mailbox.when_full == "block":
                waiters[mail] = Waiter()
                queue.block(mail, waiters[mail])
                model.blocked.append(model.entry(mail))
            elif mailbox.when_full != "reject":
                dropped, _ = queue.put_instead(mail)
                assert dropped is model.drop(mail)
                assert not dropped.queued
            sent.append(mail)
        elif what == "take":
            mail = queue.take()
            assert mail is model.take()
            if mail is not None:
                assert not mail.queued
                taken.append(mail)
        elif what == "withdraw" and sent:
            mail = sent[number % len(sent)]
            assert queue.withdraw(mail) == model.withdraw(mail)
            if mail in waiters:
                assert waiters[mail].woken == 1
        elif what == "put back":
            mails, taken = taken[-number:], taken[:-number]
            queue.put_first(mails)
            model.first[:0] = mails
        elif what == "wait":
            model.now += number
        elif what == "clear":
            everything = model.order() + [mail for mail, _ in model.in_order(model.blocked)]
            assert queue.clear() == everything
            assert not any(mail.queued for mail in everything)
            model = Model(mailbox, model.now, expired=model.expired)
        peak = max(peak, len(queue))
        assert list(queue) == model.order()
        assert len(queue) == len(model.order())
        assert all(mail.queued for mail in queue)
        assert expired == model.expired
        seen = queue.statistics()
        assert (seen.depth, seen.waiting, seen.expired) == (len(queue), len(model.blocked), len(expired))
        assert seen.peak >= peak
        blocked = {mail for mail, _ in model.blocked}
        assert {mail for mail, waiter in waiters.items() if not waiter.woken} == blocked
        assert all(waiter.woken <= 1 for waiter in waiters.values())
