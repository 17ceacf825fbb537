"""llama-server is started, asked and ended; a small stand-in plays it here."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from bench.peer.programs import Same
from bench.peer.reports import Chunk, Timings
from bench.peer.served import read
from bench.peer.server import ServerProcess

pytestmark = pytest.mark.usefixtures("fake_server")


@pytest.mark.process
def test_an_answer_is_streamed_and_timed() -> None:
    with ServerProcess(Same(model=Path("m.gguf")), 2) as process:
        one = process.complete("good morning house", 2)
        assert one.text == "goodmorning"
        assert one.tokens == 2
        assert one.sent_s < one.first_s <= one.end_s
        assert one.ttft_ms == pytest.approx((one.first_s - one.sent_s) * 1e3)
        chat = process.chat("good morning", "house", 3)
        assert (chat.text, chat.tokens) == ("goodmorninghouse", 3)
        assert chat.sent_s < chat.first_s <= chat.end_s
        many = process.completing(["a b c", "d e f"], 3)
        assert many.over(10)
        assert [answer.text for answer in many.answers()] == ["abc", "def"]
        assert "listening" in process.log()
        running = psutil.Process(process.pid)
        assert {listen.laddr.ip for listen in running.net_connections()} == {"127.0.0.1"}
    assert not running.is_running()


@pytest.mark.process
def test_a_refused_prompt_is_an_error() -> None:
    with (
        ServerProcess(Same(model=Path("m.gguf")), 1) as process,
        pytest.raises(ConnectionError, match="400"),
    ):
        process.complete("", 2)


@pytest.mark.process
def test_a_server_that_does_not_start_tells_its_log() -> None:
    with pytest.raises(TimeoutError, match="this is no model"):
        ServerProcess(Same(model=Path("broken")), 1).__enter__()


@pytest.mark.process
def test_an_error_meanwhile_carries_the_log() -> None:
    with (
        pytest.raises(ValueError, match="mine") as raised,
        ServerProcess(Same(model=Path("m.gguf")), 1),
    ):
        raise ValueError("mine")  # noqa: EM101
    assert "listening" in raised.value.__notes__[0]


def test_the_first_word_is_the_first_event_with_text() -> None:
    timings = Timings(cache_n=0, prompt_n=3, prompt_ms=1, predicted_n=2, predicted_ms=1)
    events = [
        (1.0, Chunk()),
        (1.5, Chunk(content="a")),
        (2.0, Chunk(content="b")),
        (2.1, Chunk(stop=True, timings=timings)),
    ]
    answer = read(events, 0.5)
    assert (answer.text, answer.first_s, answer.end_s) == ("ab", 1.5, 2.1)
    assert answer.ttft_ms == pytest.approx(1000)
    assert read(events[-1:], 0.5).first_s == 2.1


@pytest.mark.parametrize("events", [[], [(1.0, Chunk(content="a"))]])
def test_an_answer_that_breaks_off_is_an_error(events: list[tuple[float, Chunk]]) -> None:
    with pytest.raises(ConnectionError, match="without timings"):
        read(events, 0.5)
