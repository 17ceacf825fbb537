"""Whole turns within their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.serving.conversation import (
    KEEP,
    MAX_BYTES,
    MAX_TURNS,
    Conversation,
    Recalled,
    Turn,
    size,
    trimmed,
)
from edged.serving.request import Message, SessionId
from tests.serving.make import request

MANY = 10**9


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str) -> Message:
    return Message(role="assistant", content=text)


def turn(text: str, answer: str = "") -> Turn:
    return Turn(user(text), assistant(answer))


def recalled(conversation: Conversation, asked: str, *lead: Message) -> Recalled:
    return Recalled(
        session=SessionId(id="s"),
        conversation=conversation,
        lead=lead,
        persona="butler",
        turns=conversation.turns,
        asked=user(asked),
    )


def test_text_is_counted_in_bytes_of_utf8() -> None:
    assert size([user("abc"), assistant("é"), user("\N{WAVING HAND SIGN}")]) == 9
    assert size([user("\ud800")]) == 1


def test_a_prompt_is_lead_then_turns_then_what_is_asked_now() -> None:
    conversation = Conversation(0.0)
    conversation.turns = (turn("one", "uno"), turn("two", "due"))
    system = Message(role="system", content="Be brief.")
    known = recalled(conversation, "three", system)
    expanded = known.expand(request("r", session="s"))
    said = [(message.role, message.content) for message in expanded.messages]
    assert said == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "uno"),
        ("user", "two"),
        ("assistant", "due"),
        ("user", "three"),
    ]
    assert expanded.persona == "butler", "whose fields are told"
    assert (known.use.id, known.use.turns) == ("s", 2)


def test_tokens_are_told_from_text_by_the_last_count_of_the_engine() -> None:
    conversation = Conversation(0.0)
    system = Message(role="system", content="x" * 80)
    conversation.keep(recalled(conversation, "a" * 10, system), assistant("b" * 10), 50, 100)
    assert conversation.tokens_per_byte == 0.5
    assert conversation.size == 100
    assert conversation.lead == (system,)
    assert len(conversation.turns) == 1


def test_what_is_within_its_bounds_stays_whole() -> None:
    turns = tuple(turn("a" * 10) for _ in range(10))
    assert trimmed(turns, 1.0, 100) == turns


def test_beyond_its_bound_half_of_it_stays_and_that_is_the_newest() -> None:
    turns = tuple(turn(str(number) * 10) for number in range(10))
    assert trimmed(turns, 1.0, 99) == turns[-4:]


def test_a_newest_turn_of_more_than_half_stays_alone() -> None:
    turns = (turn("a" * 60), turn("b" * 80))
    assert trimmed(turns, 1.0, 100) == turns[-1:]


def test_a_turn_beyond_the_whole_bound_does_not_stay() -> None:
    assert trimmed((turn("a" * 101),), 1.0, 100) == ()
    assert trimmed((turn("a"), turn("a" * 101)), 1.0, 100) == ()
    assert trimmed((turn("a"),), 1.0, -5) == ()
    assert trimmed((), 1.0, -5) == ()


def test_number_and_bytes_are_bounded_whatever_the_tokens() -> None:
    many = tuple(turn("a") for _ in range(MAX_TURNS + 1))
    assert len(trimmed(many, 0.0, MANY)) == MAX_TURNS * KEEP
    large = tuple(turn("a" * (MAX_BYTES // 4)) for _ in range(5))
    assert len(trimmed(large, 0.0, MANY)) == 2
    assert trimmed((turn("a" * (MAX_BYTES + 1)),), 0.0, MANY) == ()


@given(
    st.lists(st.integers(0, MAX_BYTES), max_size=MAX_TURNS + 5),
    st.floats(0.01, 10),
    st.integers(-10, 2**17),
)
def test_what_stays_is_the_end_within_all_bounds(sizes: list[int], rate: float, limit: int) -> None:
    turns = tuple(turn("a" * count) for count in sizes)
    kept = trimmed(turns, rate, limit)
    assert kept == turns[len(turns) - len(kept) :]
    total = sum(size(each.messages) for each in kept)
    assert not kept or total * rate <= limit
    assert total <= MAX_BYTES
    assert len(kept) <= MAX_TURNS
    if len(kept) < len(turns) and len(kept) > 1:
        assert total * rate <= limit * KEEP
