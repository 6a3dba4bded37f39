"""What an agent has heard: nothing is lost, nothing is there twice, whatever becomes of the replies that take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors import Msg
from actors.agents._observed import INTERRUPTED, NOTHING_SAID, Observed, messages_in

if TYPE_CHECKING:
    from actors.agents._blocks import ContentBlock

MESSAGES = [Msg("anna", f"message {number}", "user") for number in range(6)]
some = st.lists(st.sampled_from(MESSAGES), max_size=3)


def once(messages: list[Msg]) -> list[Msg]:
    return [message for index, message in enumerate(messages) if message not in messages[:index]]


class AnyOrder(RuleBasedStateMachine):
    """Replies take, end well or badly, one after the other, and meanwhile things are heard."""

    def __init__(self) -> None:
        super().__init__()
        self.observed = Observed()
        self.waiting: list[Msg] = []  # what the next history is to begin with
        self.taken: list[Msg] = []  # what the reply that runs has

    @rule(messages=some)
    def heard(self, messages: list[Msg]) -> None:
        self.observed.hear(messages)
        self.waiting = once(self.waiting + [message for message in messages if message not in self.taken])

    @rule(inputs=some)
    def taken_by_a_reply(self, inputs: list[Msg]) -> None:
        new = [message for message in once(inputs) if message not in self.taken]
        expected = [message for message in self.waiting if message not in new] + new
        history = self.observed.take(inputs)
        assert history == expected
        assert not any(given is original for given in history for original in MESSAGES)
        self.taken += expected
        self.waiting = []

    @rule()
    def replied(self) -> None:
        self.observed.drop_taken()
        self.taken = []

    @rule()
    def cut_off(self) -> None:
        self.observed.give_back()
        self.waiting, self.taken = self.taken + self.waiting, []

    @invariant()
    def all_that_is_not_used_up_is_there(self) -> None:
        assert self.observed.messages() == self.taken + self.waiting


TestAnyOrder = AnyOrder.TestCase


def cut_off(content: str | list[ContentBlock], name: str = "teller", **metadata: object) -> Msg:
    return Msg(name, content, "assistant", {INTERRUPTED: True, **metadata})


def heard(*messages: Msg) -> list[Msg]:
    observed = Observed()
    for message in messages:
        observed.hear([message])
    return observed.messages()


def test_an_acknowledgement_adds_nothing_to_what_had_been_said() -> None:
    [message] = heard(cut_off("Once upon", reason="first"), cut_off(NOTHING_SAID, reason="second"))
    assert (message.content, message.metadata["reason"]) == ("Once upon", "second")


def test_what_had_been_said_takes_the_place_of_an_acknowledgement() -> None:
    assert [message.content for message in heard(cut_off(NOTHING_SAID), cut_off("Once upon"))] == ["Once upon"]


def test_two_replies_cut_off_in_a_row_are_one_message() -> None:
    image: ContentBlock = {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}}
    assert [message.content for message in heard(cut_off("Once"), cut_off("upon"))] == ["Once\nupon"]
    assert [message.content for message in heard(cut_off("Once"), cut_off([image]))] == [
        [{"type": "text", "text": "Once"}, image]
    ]


def test_replies_of_others_and_after_a_word_of_the_user_stay_apart() -> None:
    assert len(heard(cut_off("Once"), cut_off("upon", name="ben"))) == 2
    assert len(heard(cut_off("Once"), Msg("anna", "Go on", "user"), cut_off("upon"))) == 3
    assert len(heard(cut_off("Once"), Msg("teller", "upon", "assistant"))) == 2


def test_messages_are_taken_from_one_from_several_and_from_none() -> None:
    first, second = MESSAGES[:2]
    assert messages_in(None, "x") == []
    assert messages_in(first, "x") == [first]
    assert messages_in([first, second], "x") == [first, second]
    assert messages_in(first, "x")[0] is not first
    with pytest.raises(TypeError, match="x takes a Msg, a list of Msg, or None, not dict"):
        messages_in(first.to_dict(), "x")
