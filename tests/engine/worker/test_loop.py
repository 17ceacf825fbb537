"""The loop and the thin layer over llama.cpp, in this process, with the pocket model."""

from __future__ import annotations

import math
import os
import socket
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from edged.engine.codec import encode, from_child
from edged.engine.frames import (
    Beat,
    Cancel,
    Delta,
    Done,
    Failed,
    FromChild,
    Generate,
    Load,
    LoadFailed,
    Pace,
    Quit,
    Ready,
    ToChild,
)
from edged.engine.worker import sampling
from edged.engine.worker.channel import BEAT_S, Channel
from edged.engine.worker.loop import Worker
from edged.engine.worker.native import llama, log
from edged.errors import FrameError
from tests.engine.harness import POCKET, load, prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")


class Exited(BaseException):
    """Stands for os._exit."""


class Bench:
    """A worker in this process and the daemon's end of its socket."""

    def __init__(self, sock: socket.socket, theirs: socket.socket) -> None:
        self._sock = sock
        self._decoder = from_child()
        self.channel = Channel(theirs)
        self.worker = Worker(self.channel)

    def say(self, *frames: ToChild) -> None:
        self._sock.sendall(b"".join(map(encode, frames)))

    def heard(self) -> list[FromChild]:
        try:
            return list(self._decoder.feed(self._sock.recv(1 << 20)))
        except BlockingIOError:
            return []

    def answer(self, request: Generate) -> FromChild:
        self.say(request)
        self.worker._attend(1.0)
        self.worker._answer(request)
        self.worker._request = None
        return self.heard()[-1]


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    def leave(status: int) -> NoReturn:
        raise Exited(status)

    monkeypatch.setattr(os, "_exit", leave)
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    with ours, theirs:
        yield Bench(ours, theirs)


@pytest.fixture
def bench(raw: Bench) -> Bench:
    raw.worker._load = load(prefill_chunk=16)
    raw.worker._open(raw.worker._load)
    assert isinstance(raw.heard()[-1], Ready)
    return raw


def test_run_loads_answers_and_quits(raw: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def quit_afterwards(request: Generate) -> None:
        answer(request)
        raw.say(Quit())

    answer = raw.worker._answer
    monkeypatch.setattr(raw.worker, "_answer", quit_afterwards)
    raw.say(Pace(threads=1, threads_batch=1), load(), prompt())
    with pytest.raises(Exited):
        raw.worker.run()
    assert isinstance(raw.heard()[-1], Done)


def test_a_load_that_fails_is_said(raw: Bench) -> None:
    raw.say(Load(path="/none"))
    raw.worker.run()
    assert isinstance(failed := raw.heard()[-1], LoadFailed)
    assert failed.code == "bad_path"


@pytest.mark.parametrize(
    "frames",
    [(prompt(),), (load(), load()), (load(), prompt(), prompt()), (load(), prompt(), load())],
    ids=["early", "two loads", "two runs", "late load"],
)
def test_frames_out_of_order(raw: Bench, frames: tuple[ToChild, ...]) -> None:
    raw.say(*frames)
    with pytest.raises(FrameError, match="out of order"):
        raw.worker._attend(1.0)


def test_an_answer(bench: Bench) -> None:
    done = bench.answer(prompt(max_tokens=5))
    assert isinstance(done, Done)
    assert done.completion_tokens <= 5
    assert 0 < done.prompt_ms <= done.ttft_ms


def test_cancel_before_the_first_step(bench: Bench) -> None:
    request = prompt()
    bench.say(request, Cancel(key="other"), Cancel(key="k"))
    bench.worker._attend(1.0)
    bench.worker._answer(request)
    assert isinstance(done := bench.heard()[-1], Done)
    assert (done.finish_reason, done.completion_tokens) == ("cancelled", 0)


def test_the_abort_callback_cancels_a_step_and_leaves_the_context_usable(bench: Bench) -> None:
    model = bench.worker._model
    tokens = model.tokenize("a room with a desk " * 20, special=True)
    asked = []

    def abort(_data: object) -> bool:
        asked.append(1)
        return len(asked) > 5

    callback = llama.ggml_abort_callback(abort)
    assert model.decode_prompt(tokens, 0, callback) == 2
    model.clear()
    assert isinstance(bench.answer(prompt(max_tokens=2)), Done)


def test_a_cancel_seen_at_a_node(bench: Bench) -> None:
    request = prompt()
    bench.say(request)
    bench.worker._attend(1.0)
    assert not bench.worker._at_node(None)
    bench.say(Cancel(key="k"))
    assert not bench.worker._at_node(None), "it looks rarely"
    bench.worker._look_at = 0.0
    assert bench.worker._at_node(None)
    bench.worker._answer(request)
    assert isinstance(done := bench.heard()[-1], Done)
    assert done.finish_reason == "cancelled"


def test_a_broken_frame_seen_at_a_node_is_raised_after_the_step(bench: Bench) -> None:
    request = prompt()
    bench.say(request)
    bench.worker._attend(1.0)
    bench._sock.sendall(b"\0\0\0\0")
    bench.worker._look_at = 0.0
    assert bench.worker._at_node(None)
    with pytest.raises(FrameError, match="0 bytes"):
        bench.worker._answer(request)


def test_a_long_step_beats(bench: Bench) -> None:
    bench.channel.sent_at -= BEAT_S
    bench.worker._look_at = 0.0
    assert not bench.worker._at_node(None)
    assert bench.heard() == [Beat()]


def test_pace_is_applied_between_steps(bench: Bench) -> None:
    bench.say(Pace(threads=2, threads_batch=1, idle_share=0.5, prefill_chunk=2048))
    bench.worker._attend(1.0)
    done = bench.answer(prompt(max_tokens=3))
    assert isinstance(done, Done)
    assert llama.llama_n_threads(bench.worker._model.context) == 2
    assert llama.llama_n_threads_batch(bench.worker._model.context) == 1
    assert bench.worker._chunk == bench.worker._model.n_batch == 512


def test_a_rest_flushes_beats_and_wakes_for_a_cancel(bench: Bench) -> None:
    flushed: list[int] = []

    class Resting:
        finish = None

        def flush(self) -> None:
            flushed.append(1)

    sequence: Any = Resting()
    bench.worker._idle_ratio = 1.0
    bench.channel.sent_at -= BEAT_S
    bench.worker._rest(sequence, 0.01)
    assert (flushed, bench.heard()) == ([1], [Beat()])
    request = prompt()
    bench.say(request, Cancel(key="k"))
    began = time.monotonic()
    bench.worker._rest(sequence, 60.0)
    assert time.monotonic() - began < 30.0


def test_a_decode_error_fails_the_run_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bench.worker._model
    for code, says in ((1, "no room"), (-3, "returned -3")):
        with monkeypatch.context() as patch:
            patch.setattr(model, "decode_prompt", lambda *_, code=code: code)
            failed = bench.answer(prompt())
        assert isinstance(failed, Failed)
        assert failed.code == "decode_failed"
        assert says in failed.message
    assert isinstance(bench.answer(prompt()), Done)


def test_a_prompt_error_fails_the_run_only(bench: Bench) -> None:
    assert isinstance(failed := bench.answer(prompt("x " * 5000)), Failed)
    assert failed.code == "prompt_too_long"
    assert isinstance(bench.answer(prompt()), Done)


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.0, "repeat_penalty": 1.0},
        {"temperature": 0.0, "repeat_penalty": 10.0},
        {"temperature": 10.0, "top_k": 0, "top_p": 0.0, "min_p": 1.0},
        {"temperature": 1e-30, "top_k": 1_000_000, "top_p": 1.0, "min_p": 0.0, "seed": 2**32 - 1},
        {"temperature": 0.7, "top_k": 1, "repeat_penalty": 0.1, "seed": 0},
    ],
    ids=repr,
)
def test_every_number_in_range_survives_native_code(bench: Bench, fields: dict[str, Any]) -> None:
    done = bench.answer(prompt(max_tokens=8, **fields))
    assert isinstance(done, Done)


def test_the_seed_that_means_random_is_not_passed_on() -> None:
    assert sampling._seed(2**32 - 1) == 2**32 - 2
    assert sampling._seed(7) == 7
    assert 0 <= sampling._seed(None) < 2**32 - 1


def test_the_model_guards_native_code(bench: Bench) -> None:
    model = bench.worker._model
    assert model.decode_prompt([1] * (model.n_batch + 1), 0, bench.worker._abort) == 1
    assert model.decode_prompt([1, 1], model.n_ctx - 1, bench.worker._abort) == 1
    assert model.token_text(-1) == ""
    control, defined = model.markers()
    assert "<|im_end|>" in control
    assert defined == []
    special = model.tokenize("<|im_end|>", special=True)
    assert len(special) == 1
    assert model.piece(special[0]) == b""
    plain = model.tokenize("<|im_end|> né🙂", special=False)
    assert b"".join(map(model.piece, plain)).decode() == "<|im_end|> né🙂"
    assert model.tokenize("", special=True) == []


def test_warnings_and_errors_of_llama_cpp_reach_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    for level, text in (
        (2, b"info "),
        (5, b"more\n"),
        (3, b"warn "),
        (5, b"more\n"),
        (4, b"bad\n"),
    ):
        log.write(level, text, None)
    assert capsys.readouterr().err == "warn more\nbad\n"
    assert log.last_error == "bad"


def test_loading_is_told_now_and_then(raw: Bench) -> None:
    for done in (math.nan, 2.0, -1.0, 0.5):
        raw.worker._progress(done)
    assert len(raw.heard()) == 1


def test_deltas_join_to_the_whole(bench: Bench) -> None:
    request = prompt(max_tokens=30)
    bench.say(request)
    bench.worker._attend(1.0)
    bench.worker._answer(request)
    frames = bench.heard()
    text = "".join(f.text for f in frames if isinstance(f, Delta))
    assert text
    assert "\ufffd" not in text
