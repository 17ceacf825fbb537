from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from edged.client.ask import Asker, ask, read_schema, summary
from edged.errors import EdgedError
from edged.mqtt.topics import Topics
from tests.client.fake_link import FakeLink

if TYPE_CHECKING:
    from pathlib import Path

TOPICS = Topics("edged", ())
REQUEST = {"id": "a1", "prompt": "Is it warm?"}
REPLY = {
    "id": "a1",
    "status": "ok",
    "text": "It is warm.",
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 9, "cached_tokens": 0, "completion_tokens": 4},
    "timings": {"ttft_ms": 250.0, "predicted_per_second": 8.03},
    "variant": "pocket",
}


def stream(seq: int, delta: str) -> tuple[str, Any]:
    return TOPICS.stream("a1"), {"seq": seq, "delta": delta}


def run(link: FakeLink, timeout: float = 5.0) -> tuple[dict[str, Any] | None, str, str]:
    out, notes = io.StringIO(), io.StringIO()
    reply = Asker(link, TOPICS, REQUEST, out, notes).run(timeout)
    return reply, out.getvalue(), notes.getvalue()


def test_asks_after_it_listens_and_streams_what_comes() -> None:
    link = FakeLink([stream(0, "It is "), stream(1, "warm."), (TOPICS.reply("a1"), REPLY)])
    reply, out, notes = run(link)
    assert reply == REPLY
    assert out == "It is warm.\n"
    assert notes == "[4 tokens, 8.0 tok/s, first token after 0.25 s, pocket, stop]\n"
    assert link.calls[0] == ("subscribe", TOPICS.reply("a1"))
    topic, payload = link.published[0]
    assert topic == TOPICS.request
    assert json.loads(payload) == REQUEST


def test_what_the_stream_lost_is_taken_from_the_reply() -> None:
    _, out, _ = run(FakeLink([stream(0, "It "), (TOPICS.reply("a1"), REPLY)]))
    assert out == "It is warm.\n"


def test_a_stream_with_a_hole_is_followed_by_the_whole_text() -> None:
    _, out, _ = run(FakeLink([stream(0, "It "), stream(2, "warm."), (TOPICS.reply("a1"), REPLY)]))
    assert out == "It warm.\nIt is warm.\n"


def test_a_second_run_starts_the_text_anew() -> None:
    link = FakeLink([stream(0, "It was"), stream(0, "It is "), (TOPICS.reply("a1"), REPLY)])
    _, out, _ = run(link)
    assert out == "It wasIt is warm.\n"


def test_waiting_and_prefill_are_told_once_each() -> None:
    waiting = (TOPICS.progress("a1"), {"phase": "waiting", "position": 3})
    prefill = (TOPICS.progress("a1"), {"phase": "prefill", "percent": 50})
    offline = (TOPICS.availability, "offline")
    link = FakeLink([waiting, waiting, prefill, offline, (TOPICS.reply("a1"), REPLY)])
    _, _, notes = run(link)
    assert notes.splitlines()[:3] == [
        "waiting: position 3",
        "reading the prompt: 50 %",
        "edged is offline; the broker keeps the prompt until it is back",
    ]


def test_what_fits_in_time_is_told() -> None:
    prefill = (TOPICS.progress("a1"), {"phase": "prefill", "percent": 0, "planned_tokens": 40.0})
    _, _, notes = run(FakeLink([prefill, (TOPICS.reply("a1"), REPLY)]))
    assert notes.startswith("reading the prompt: 0 %, room for 40 tokens\n")


def test_junk_on_the_topics_is_passed_over() -> None:
    link = FakeLink([(TOPICS.stream("a1"), "{"), ("other", "x"), (TOPICS.reply("a1"), REPLY)])
    reply, out, _ = run(link)
    assert reply == REPLY
    assert out == "It is warm.\n"


@pytest.mark.parametrize(
    ("streamed", "shown"),
    [
        ('{"on": true}', '{"on": true}\n'),
        ('{"on": tr', '{"on": tr\n{"on":true}\n'),
        ("", '{"on":true}\n'),
    ],
)
def test_an_answer_in_json_is_shown_once(streamed: str, shown: str) -> None:
    reply = {**REPLY, "json": {"on": True}}
    del reply["text"]
    _, out, _ = run(FakeLink([stream(0, streamed), (TOPICS.reply("a1"), reply)]))
    assert out == shown


@pytest.mark.parametrize(("choice", "shown"), [("on", "on\n"), (None, "(none of them)\n")])
def test_a_choice_is_shown_with_its_probabilities(choice: str | None, shown: str) -> None:
    reply = {**REPLY, "choice": choice, "probabilities": {"off": 0.25, "on": 0.75}}
    del reply["text"]
    _, out, notes = run(FakeLink([(TOPICS.reply("a1"), reply)]))
    assert out == shown
    assert notes.startswith("[on 75.0%, off 25.0%, ")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"type": '])
def test_a_file_that_is_no_schema(tmp_path: Path, content: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(content)
    with pytest.raises(EdgedError, match=r"schema\.json: no JSON Schema"):
        read_schema(path)


def test_no_reply_in_time_is_none() -> None:
    reply, _, _ = run(FakeLink([]), timeout=0.01)
    assert reply is None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            {"code": "busy", "message": "the queue is full", "retry_after_s": 30},
            "rejected: busy: the queue is full (try again in 30 s)",
        ),
        ({"code": "bad_id", "message": "an id"}, "rejected: bad_id: an id"),
    ],
)
def test_a_refusal_says_why(error: dict[str, Any], line: str) -> None:
    assert summary({"status": "rejected", "error": error}) == line


def test_the_earlier_turns_of_a_session_are_told() -> None:
    reply = {"status": "ok", "session": {"id": "s", "turns": 2}, "finish_reason": "stop"}
    assert "behind 2 earlier turns" in summary(reply)


def test_the_exit_code_follows_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"id": "a1", "status": "rejected", "error": {"code": "busy", "message": "full"}}
    done = ask(FakeLink([(TOPICS.reply("a1"), REPLY)]), TOPICS, REQUEST, timeout=5, as_json=False)
    not_done = ask(
        FakeLink([(TOPICS.reply("a1"), refused)]), TOPICS, REQUEST, timeout=5, as_json=False
    )
    assert (done, not_done) == (0, 1)
    assert "rejected: busy" in capsys.readouterr().err


def test_json_prints_the_reply_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    link = FakeLink([stream(0, "It"), (TOPICS.reply("a1"), REPLY)])
    assert ask(link, TOPICS, REQUEST, timeout=5, as_json=True) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == REPLY
    assert printed.err == ""
    assert json.loads(link.published[0][1])["stream"] is False


def test_a_timeout_cancels_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    link = FakeLink([])
    assert ask(link, TOPICS, REQUEST, timeout=0.01, as_json=False) == 1
    assert link.published[-1] == (TOPICS.cancel, b"a1")
    assert "cancelled" in capsys.readouterr().err


def test_control_c_cancels_the_request() -> None:
    link = FakeLink([], interrupt=True)
    assert ask(link, TOPICS, REQUEST, timeout=5, as_json=False) == 1
    assert link.published[-1] == (TOPICS.cancel, b"a1")
