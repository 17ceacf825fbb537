from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.serving import news
from edged.serving.news import MAX_TEXT_BYTES, cut
from edged.serving.request import Reply, ReplyError
from tests.serving.make import usage


def test_an_answer_is_an_event_with_all_that_a_reply_says() -> None:
    reply = Reply(
        id="r", status="ok", text="warm", finish_reason="stop", usage=usage(), variant="p"
    )
    assert json.loads(news.encode(reply)) == {
        "event_type": "completed",
        "id": "r",
        "truncated": False,
        "text": "warm",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 2},
        "variant": "p",
    }


def test_an_answer_in_json_is_text_there() -> None:
    reply = Reply(id="r", status="ok", json=msgspec.Raw(b'{"on": true}'))
    assert json.loads(news.encode(reply))["text"] == '{"on": true}'


@pytest.mark.parametrize("choice", ["on", None])
def test_a_choice_is_text_there(choice: str | None) -> None:
    event = json.loads(news.encode(Reply(id="r", status="ok", choice=choice)))
    assert event.get("text") == choice


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled", "rejected"])
def test_what_is_no_answer_says_why(status: str) -> None:
    error = ReplyError(code="busy", message="m", retry_after_s=3.0)
    reply = Reply(id="r", status=status, error=error)  # type: ignore[arg-type]
    assert json.loads(news.encode(reply)) == {
        "event_type": status,
        "id": "r",
        "truncated": False,
        "error": {"code": "busy", "message": "m", "retry_after_s": 3.0},
    }


@pytest.mark.parametrize("letter", ["a", "ä", "漢", "😀", '"', "\n", "\x01"])
def test_a_long_answer_is_cut_between_letters_to_what_a_recorder_keeps(letter: str) -> None:
    payload = news.encode(Reply(id="r", status="ok", text=letter * 20_000, variant="v" * 64))
    event = json.loads(payload)
    assert event["truncated"] is True
    assert set(event["text"]) == {letter}
    size = len(json.dumps(event["text"], ensure_ascii=False).encode()) - 2
    assert MAX_TEXT_BYTES - 6 < size <= MAX_TEXT_BYTES
    assert len(payload) < 16_384


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(0, 80))
def test_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    def size(part: str) -> int:
        return len(msgspec.json.encode(part)) - 2

    kept = cut(text, limit)
    assert text.startswith(kept)
    assert size(kept) <= limit
    assert kept == text or size(text[: len(kept) + 1]) > limit
