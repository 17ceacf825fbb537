"""The loop: frames in order and out of order, cancel, pace and beats, in this process."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.frames import (
    Beat,
    Cancel,
    Done,
    Effort,
    Failed,
    Generate,
    Learn,
    Load,
    LoadFailed,
    Pace,
    Quit,
    Ready,
    ToChild,
)
from edged.engine.worker import sampling
from edged.engine.worker.channel import BEAT_S
from edged.engine.worker.loop import LOOK_S, YOUNG_LOOK_S, YOUNG_S
from edged.engine.worker.native import llama, log
from edged.errors import FrameError
from tests.engine.harness import POCKET, load, prompt
from tests.engine.worker.rig import Exited, Rig, done, no_exit, turn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    no_exit(monkeypatch)
    with Rig() as rig:
        yield rig


@pytest.fixture
def rig(raw: Rig) -> Rig:
    return raw.open()


def test_run_loads_answers_and_quits(raw: Rig) -> None:
    raw.say(Pace(threads=1, threads_batch=1), load(), prompt(max_tokens=3), Quit())
    with pytest.raises(Exited):
        raw.worker.run()
    raw.say(load())


def test_run_answers_what_came_while_it_loaded(raw: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.say(load(), prompt(max_tokens=3))
    steps: list[int] = []
    advance = raw.worker._advance

    def counted(desk: Any) -> None:
        advance(desk)
        steps.append(1)
        if desk.idle:
            raw.say(Quit())

    monkeypatch.setattr(raw.worker, "_advance", counted)
    with pytest.raises(Exited):
        raw.worker.run()
    frames = raw.heard()
    assert any(isinstance(frame, Ready) for frame in frames)
    assert done(frames).completion_tokens <= 3
    assert len(steps) >= 2


def test_a_load_that_fails_is_said(raw: Rig) -> None:
    raw.say(Load(path="/none"))
    raw.worker.run()
    assert isinstance(failed := raw.heard()[-1], LoadFailed)
    assert failed.code == "bad_path"


TWO = (prompt(key="a"), prompt(key="b"), prompt(key="c"))


@pytest.mark.parametrize(
    "frames",
    [(prompt(),), (Learn(key="p", messages=(turn("x"),)),), (load(), load())],
    ids=["early", "early errand", "two loads"],
)
def test_frames_out_of_order(raw: Rig, frames: tuple[ToChild, ...]) -> None:
    raw.say(*frames)
    with pytest.raises(FrameError, match="out of order"):
        raw.worker._attend(1.0)


@pytest.mark.parametrize(
    "frames", [TWO, (prompt(), prompt()), (load(),)], ids=["too many", "twice", "late load"]
)
def test_frames_out_of_order_once_it_is_ready(rig: Rig, frames: tuple[ToChild, ...]) -> None:
    rig.say(*frames)
    with pytest.raises(FrameError, match="out of order"):
        rig.worker._attend(1.0)


def test_errands_without_end(rig: Rig) -> None:
    rig.say(*(Learn(key=f"p{n}", messages=(turn("x"),)) for n in range(300)))
    with pytest.raises(FrameError, match="Learn out of order"):
        rig.worker._attend(1.0)


def test_an_answer(rig: Rig) -> None:
    said, sums = rig.answer(prompt(max_tokens=5))
    assert said
    assert "\ufffd" not in said
    assert 1 <= sums.completion_tokens <= 5
    assert 0 < sums.prompt_ms <= sums.ttft_ms


def test_cancel_before_the_first_step(rig: Rig) -> None:
    rig.say(prompt(), Cancel(key="other"), Cancel(key="k"))
    sums = done(rig.finish())
    assert (sums.finish_reason, sums.completion_tokens) == ("cancelled", 0)


def test_a_cancel_seen_inside_a_step_ends_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is given up in the middle, and what it had computed is of no use to anybody."""
    monkeypatch.setattr("edged.engine.worker.loop.YOUNG_LOOK_S", 0.0)
    rig.say(prompt("the kitchen is warm " * 60))
    rig.step()
    asked: list[int] = []
    look = rig.worker._look

    def cancel_then_look(now: float) -> None:
        asked.append(1)
        rig.say(Cancel(key="k"))
        look(now)

    rig.worker._look = cancel_then_look  # type: ignore[method-assign]
    rig.step()
    assert asked
    assert done(rig.finish()).finish_reason == "cancelled"
    rig.worker._look = look  # type: ignore[method-assign]
    assert rig.answer(prompt(max_tokens=2))[1].completion_tokens == 2


def test_it_looks_rarely(rig: Rig) -> None:
    rig.say(prompt())
    rig.worker._attend(1.0)
    assert not rig.worker._at_node(None)
    looked_until = rig.worker._look_at
    rig.say(Cancel(key="k"))
    rig.worker._at_node(None)
    assert rig.worker._look_at == looked_until


def test_it_looks_more_often_while_a_step_is_young(rig: Rig) -> None:
    for age, pause in ((0.0, YOUNG_LOOK_S), (YOUNG_S, LOOK_S)):
        rig.worker._began_at, rig.worker._look_at = time.monotonic() - age, 0.0
        rig.worker._at_node(None)
        assert pause / 2 < rig.worker._look_at - time.monotonic() <= pause


def test_a_broken_frame_seen_at_a_node_is_raised_after_the_step(rig: Rig) -> None:
    rig.say(prompt())
    rig.worker._attend(1.0)
    rig.say_bytes(b"\0\0\0\0")
    rig.worker._look_at = 0.0
    assert rig.worker._at_node(None)
    with pytest.raises(FrameError, match="0 bytes"):
        rig.worker._advance(rig.desk)


def test_a_broken_frame_while_it_loads_is_raised_instead_of_ready(raw: Rig) -> None:
    raw.say_bytes(b"\0\0\0\0")
    with pytest.raises(FrameError, match="0 bytes"):
        raw.open()


def test_a_long_step_beats(rig: Rig) -> None:
    rig.worker._tally.begin(time.monotonic())
    rig.channel.sent_at -= BEAT_S
    rig.worker._look_at = 0.0
    assert not rig.worker._at_node(None)
    assert rig.heard() == [Beat()]


def test_a_long_step_tells_its_effort_from_within(rig: Rig) -> None:
    rig.worker._tally.begin(time.monotonic() - 1.5)
    rig.worker._look_at = 0.0
    assert not rig.worker._at_node(None)
    (effort,) = [frame for frame in rig.heard() if isinstance(frame, Effort)]
    assert 1500.0 <= effort.busy_ms <= effort.wall_ms
    assert (effort.decodes, effort.decoding) == (0, 0)


def test_pace_is_applied_between_steps(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.desk._crew._schedstat, "share", lambda _now: None)  # a quiet house
    rig.say(Pace(threads=2, threads_batch=1, idle_share=0.5, prefill_chunk=2048))
    rig.answer(prompt(max_tokens=3))
    native = rig.desk._context.native
    assert (llama.llama_n_threads(native), llama.llama_n_threads_batch(native)) == (2, 1)
    assert rig.desk._pacing.limit == load().n_batch


def test_a_rest_flushes_beats_and_wakes_for_news(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "llama_vocab_is_eog", lambda *_: False)  # it does not end by itself
    rig.say(prompt(max_tokens=400))
    rig.step(20)
    rig.heard()
    rig.channel.sent_at -= BEAT_S
    rig.worker._rest(rig.desk, 0.01)
    assert rig.channel.sent_at > time.monotonic() - BEAT_S
    for news in (Cancel(key="k"), Pace(threads=1, threads_batch=1)):
        rig.say(news)
        began = time.monotonic()
        rig.worker._rest(rig.desk, 60.0)
        assert time.monotonic() - began < 30.0
        rig.finish()
        rig.say(prompt(max_tokens=400))
        rig.step(3)


def test_a_pace_takes_effect_inside_a_long_step(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("edged.engine.worker.loop.time.sleep", slept.append)
    rig.say(Pace(threads=1, threads_batch=1, idle_share=0.75))
    now = time.monotonic()
    rig.worker._look_at, rig.worker._woke_at = 0.0, now - 0.1
    assert not rig.worker._at_node(None)
    (rest,) = slept
    assert 0.3 <= rest <= BEAT_S, "three times as long as it computed"
    assert rig.worker._rested_s == rest
    rig.worker._look_at, rig.worker._woke_at = 0.0, now - 1000.0
    rig.worker._at_node(None)
    assert slept[-1] == BEAT_S, "a beat is due"


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
def test_every_number_in_range_survives_native_code(rig: Rig, fields: dict[str, Any]) -> None:
    assert rig.answer(prompt(max_tokens=8, **fields))[1].completion_tokens <= 8


def test_a_seed_gives_the_same_text_again(rig: Rig) -> None:
    def said(seed: int) -> str:
        return rig.answer(prompt(max_tokens=24, temperature=1.5, top_p=1.0, seed=seed))[0]

    first = said(7)
    assert said(7) == first
    assert any(said(seed) != first for seed in range(8, 12))


def test_the_seed_that_means_random_is_not_passed_on() -> None:
    assert sampling._seed(2**32 - 1) == 2**32 - 2
    assert sampling._seed(7) == 7
    assert 0 <= sampling._seed(None) < 2**32 - 1


def test_a_prompt_error_fails_the_run_only(rig: Rig) -> None:
    assert rig.fail(prompt("x " * 5000)).code == "prompt_too_long"
    assert rig.answer(prompt())[1].completion_tokens


def test_the_vocabulary(rig: Rig) -> None:
    model = rig.desk._model
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
    for level, words in (
        (2, b"info "),
        (5, b"more\n"),
        (3, b"warn "),
        (5, b"more\n"),
        (4, b"bad\n"),
    ):
        log.write(level, words, None)
    assert capsys.readouterr().err == "warn more\nbad\n"
    assert log.last_error == "bad"


def test_loading_is_told_now_and_then(raw: Rig) -> None:
    for share in (math.nan, 2.0, -1.0, 0.5):
        raw.worker._progress(share)
    assert len(raw.heard()) == 1


def test_failed_runs_and_whole_ones_end_with_one_frame_each(rig: Rig) -> None:
    rig.say(prompt("x " * 5000, key="bad"), prompt(key="good"))
    frames = rig.finish()
    assert [f.key for f in frames if isinstance(f, Failed)] == ["bad"]
    assert [f.key for f in frames if isinstance(f, Done)] == ["good"]
    assert isinstance(prompt(), Generate)
