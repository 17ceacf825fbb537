from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.outbox import MAX_IN_FLIGHT
from edged.mqtt.receipts import MAX_RECEIPTS, Receipts, digest, parse


def test_list_names_the_last_replies_oldest_first() -> None:
    receipts = Receipts()
    for number in range(MAX_RECEIPTS + 10):
        payload = receipts.written(str(number))
    expected = tuple(digest(str(n)) for n in range(10, MAX_RECEIPTS + 10))
    assert parse(payload) == expected
    assert len(payload) <= 1024
    assert MAX_RECEIPTS >= 3 * MAX_IN_FLIGHT


def test_written_again_moves_to_the_end() -> None:
    receipts = Receipts()
    receipts.written("a")
    receipts.written("b")
    assert parse(receipts.written("a")) == (digest("b"), digest("a"))


def test_adopted_list_replaces_what_the_broker_never_saw() -> None:
    receipts = Receipts()
    receipts.written("lost")
    receipts.adopt((digest("old"),))
    assert parse(receipts.written("new")) == (digest("old"), digest("new"))


@given(st.one_of(st.binary(max_size=200), st.just(b"[" * 100_000), st.just(b'["a",1]')))
def test_junk_is_an_empty_list_or_texts(payload: bytes) -> None:
    assert all(isinstance(name, str) for name in parse(payload))


def test_long_list_is_cut() -> None:
    assert len(parse(b"[" + b'"a",' * 1000 + b'"b"]')) == MAX_RECEIPTS


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=200))
def test_every_reply_of_a_full_window_is_named(tags: list[str]) -> None:
    receipts = Receipts()
    payload = b"[]"
    for tag in tags:
        payload = receipts.written(tag)
    assert {digest(tag) for tag in tags[-MAX_IN_FLIGHT:]} <= set(parse(payload))
