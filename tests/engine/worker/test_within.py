"""Runs that must end in time, on a clock of its own: refused, planned, given up, cut."""

from __future__ import annotations

import contextlib
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.frames import Cancel, Delta, Done, Failed, Pace, Prefill
from edged.engine.worker.context import ABORTED
from tests.engine.harness import ENDLESS, POCKET, prompt
from tests.engine.worker.rig import done, text
from tests.engine.worker.test_pace import STEP_S, Timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.engine.frames import FromChild

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")

EIGHT = Pace(threads=1, threads_batch=1, decode_tps=8.0, prefill_chunk=16)
SLOWEST = Pace(threads=1, threads_batch=1, decode_tps=0.1, prefill_chunk=16)
LONG = "the kitchen is warm and the window is open " * 9


@pytest.fixture(params=[1])
def timed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Timed]:
    """It knows what it takes: 16 tokens of a prompt in a step, 2 ms each."""
    with Timed(monkeypatch, request.param) as rig:
        rig.desk.forecast._read_s = 0.002
        rig.desk.forecast._decode_s = STEP_S
        yield rig


def planned(frames: list[FromChild], key: str = "k") -> list[int | None]:
    return [f.planned for f in frames if isinstance(f, Prefill) and f.key == key]


def test_it_ends_in_time_and_told_what_would_fit(timed: Timed) -> None:
    began = timed.now
    timed.say(prompt("is it warm", within_s=1.0, **ENDLESS))
    frames = timed.finish()
    sums = done(frames)
    assert sums.finish_reason == "deadline"
    assert timed.now <= began + 1.0
    (fits,) = set(planned(frames))
    assert fits is not None
    assert abs(sums.completion_tokens - fits) <= 2
    assert fits > 40
    assert sum(frame.tokens for frame in frames if isinstance(frame, Delta)) == (
        sums.completion_tokens
    )


def test_a_paced_answer_is_planned_at_its_pace(timed: Timed) -> None:
    timed.say(EIGHT, prompt("is it warm", within_s=2.0, **ENDLESS))
    frames = timed.finish()
    (fits,) = set(planned(frames))
    assert fits is not None
    assert 12 <= done(frames).completion_tokens <= fits <= 17


def test_max_tokens_is_the_most_that_fits(timed: Timed) -> None:
    timed.say(prompt("is it warm", within_s=60.0, max_tokens=3))
    frames = timed.finish()
    assert set(planned(frames)) == {3}
    assert done(frames).finish_reason == "length"


def test_others_are_told_of_no_plan(timed: Timed) -> None:
    timed.say(prompt("is it warm", max_tokens=3))
    assert set(planned(timed.finish())) == {None}


def test_what_can_not_be_read_in_time_is_refused_at_once(timed: Timed) -> None:
    began = timed.now
    timed.say(prompt(LONG, within_s=0.05))
    (failed,) = timed.finish()
    assert isinstance(failed, Failed)
    assert failed.code == "too_late"
    assert "tokens are to be read" in failed.message
    assert timed.now == began
    assert timed.answer(prompt(LONG, key="next", max_tokens=2))[1].completion_tokens == 2


def test_what_is_known_need_not_be_read(timed: Timed) -> None:
    timed.answer(prompt(LONG, key="before", max_tokens=2))
    sums = timed.answer(prompt(LONG, within_s=0.05, max_tokens=2))[1]
    assert sums.cached_tokens == sums.prompt_tokens - 1


def test_no_time_at_all(timed: Timed) -> None:
    assert timed.fail(prompt(within_s=0.0)).code == "too_late"


def test_a_prompt_is_given_up_between_chunks(timed: Timed) -> None:
    """It is read slower than it was before."""
    timed.step_s = 0.2
    began = timed.now
    timed.say(prompt(LONG, within_s=0.9))
    frames = timed.finish()
    sums = done(frames)
    assert (sums.finish_reason, sums.completion_tokens) == ("deadline", 0)
    assert timed.now < began + 0.9
    assert [frame.done for frame in frames if isinstance(frame, Prefill)][-1] > 0
    assert timed.answer(prompt(LONG, key="next", max_tokens=2))[1].cached_tokens > 0


def test_a_prompt_is_given_up_inside_a_chunk(timed: Timed) -> None:
    """Its time is over in the middle of a step, which is aborted as the callback wants."""
    real = timed.desk._context.decode

    def slow(abort: Any) -> int:
        if timed.desk._context.batch.size > 1:
            timed.now += 5.0
            assert timed.worker._at_node(None)
            return ABORTED
        return real(abort)

    timed.desk._context.decode = slow  # type: ignore[method-assign, assignment]
    timed.say(prompt(LONG, within_s=3.0))
    assert done(timed.finish()).finish_reason == "deadline"


def test_a_rest_ends_with_the_time(timed: Timed) -> None:
    """A token each ten seconds: the one that would be late is not waited for."""
    began = timed.now
    timed.say(SLOWEST, prompt("is it warm", within_s=15.0, **ENDLESS))
    sums = done(timed.finish())
    assert (sums.finish_reason, sums.completion_tokens) == ("deadline", 2)
    assert timed.now < began + 11.0


def test_who_waits_for_an_urgent_one_ends_in_time(timed: Timed) -> None:
    timed.say(SLOWEST, prompt(key="waits", within_s=25.0, **ENDLESS))
    timed.step(3)
    began = timed.now
    timed.say(prompt(key="now", priority=0, **ENDLESS))
    with contextlib.suppress(StopIteration):
        while not any(isinstance(frame, Done) for frame in timed.frames):
            timed.step()
            timed.heard()
    sums = done(timed.frames, "waits")
    assert sums.finish_reason == "deadline"
    assert timed.now <= began + 25.0
    timed.say(Cancel(key="now"))
    timed.finish()


def test_the_stream_and_the_sums_agree_when_it_is_cut(
    timed: Timed, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = cycle([b"It is", b" warm", b".", b" The", b" door", b" is", b" op"])
    monkeypatch.setattr(timed.desk._model, "piece", lambda _: next(words))
    timed.say(prompt("is it warm", within_s=7.5 * STEP_S, **ENDLESS))
    frames = timed.finish()
    sums = done(frames)
    assert sums.finish_reason == "deadline"
    assert text(frames) == "It is warm."
    assert sums.completion_tokens > 3


def test_json_is_cut_where_it_is(timed: Timed) -> None:
    schema = '{"type":"array","items":{"type":"string","maxLength":200},"minItems":50}'
    timed.say(prompt("is it warm", schema=schema, within_s=0.5, **ENDLESS))
    frames = timed.finish()
    assert done(frames).finish_reason == "deadline"
    assert text(frames).startswith("[")
    deltas = [frame for frame in frames if isinstance(frame, Delta)]
    assert all(frame.text for frame in deltas[:-1]), "held back it would be in the last one"


def test_a_decision_is_in_time_or_not_at_all(timed: Timed) -> None:
    rooms = ("kitchen", "bathroom")
    timed.say(prompt(LONG, choices=rooms, within_s=9.0))
    frames = timed.finish()
    assert len(done(frames).scores) == 2
    assert set(planned(frames)) == {None}
    assert timed.fail(prompt("x" + LONG, choices=rooms, within_s=0.05)).code == "too_late"
    timed.step_s = 0.3
    timed.say(prompt("y" + LONG, key="slow", choices=rooms, within_s=0.9))
    sums = done(timed.finish(), "slow")
    assert (sums.finish_reason, sums.scores) == ("deadline", ())


@pytest.mark.parametrize("timed", [2], indirect=True)
def test_one_in_a_hurry_is_read_before_an_older_one(timed: Timed) -> None:
    timed.say(prompt(LONG, key="old", max_tokens=2))
    timed.step()
    timed.say(prompt("hurry: " + LONG, key="soon", within_s=20.0, max_tokens=2))
    timed.finish()
    ends = [frame.key for frame in timed.frames if isinstance(frame, Done)]
    assert ends == ["soon", "old"]


@pytest.mark.parametrize("timed", [2], indirect=True)
def test_a_refused_one_that_was_cancelled_leaves_nothing(timed: Timed) -> None:
    request = prompt(LONG, within_s=0.0)
    timed.say(request, Cancel(key=request.key))
    (failed,) = timed.finish()
    assert isinstance(failed, Failed)
    assert timed.answer(prompt(max_tokens=2))[1].finish_reason == "length"
