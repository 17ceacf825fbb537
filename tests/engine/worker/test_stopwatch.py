"""Measure with the pocket model: what is timed, who goes first, what is left behind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.frames import Failed, FromChild, Learn, Learned, Measure, Measured, Prefill
from edged.engine.worker import stopwatch
from edged.engine.worker.context import ABORTED, FULL, DecodeError
from tests.engine.harness import POCKET, load, prompt
from tests.engine.worker.rig import Rig, done, system

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")

KEY = "measure/all"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig.open(load(prefill_chunk=16, n_batch=64))


def measure(rig: Rig, **fields: Any) -> FromChild:
    rig.say(Measure(key=KEY, **fields))
    return rig.finish()[-1]


class Sizes:
    """Counts the tokens of each step that is decoded."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[tuple[int, int]] = []  # tokens, and the position of the first
        context = rig.desk._context
        decode = context.decode

        def count(*arguments: Any) -> int:
            self.steps.append((context.batch.size, int(context.batch.native.pos[0])))
            return decode(*arguments)

        monkeypatch.setattr(context, "decode", count)


def test_reading_and_decoding_are_timed_behind_the_depth(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = Sizes(rig, monkeypatch)
    began = time.monotonic()
    answer = measure(rig, depth=70, pp=100, tg=3, repeat=2)
    passed_ms = (time.monotonic() - began) * 1e3
    assert isinstance(answer, Measured)
    assert (len(answer.pp_ms), len(answer.tg_ms)) == (2, 2)
    assert all(0 < ms < passed_ms for ms in (*answer.pp_ms, *answer.tg_ms))
    once = [(64, 70), (36, 134), (1, 70), (1, 71), (1, 72)]
    assert sizes.steps == [(64, 0), (6, 64), *once, *once]


def test_what_is_not_asked_for_is_not_timed(rig: Rig) -> None:
    read, decoded = measure(rig, pp=10, repeat=3), measure(rig, tg=2)
    assert isinstance(read, Measured)
    assert isinstance(decoded, Measured)
    assert (len(read.pp_ms), read.tg_ms) == (3, ())
    assert (decoded.pp_ms, len(decoded.tg_ms)) == ((), 1)


def test_tokens_are_of_the_vocabulary_and_of_all_of_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    watch = rig.desk._stopwatch
    token = watch._token

    def spy() -> int:
        seen.append(token())
        return seen[-1]

    monkeypatch.setattr(watch, "_token", spy)
    measure(rig, pp=400)
    size = rig.desk._model.n_vocab
    assert all(0 <= token < size for token in seen)
    assert min(seen) < size // 10
    assert max(seen) > size * 9 // 10
    assert len(set(seen)) > 250


def test_nothing_is_left_in_the_context(rig: Rig) -> None:
    before, _ = rig.answer(prompt(max_tokens=8))
    used = rig.desk._prefixes.used
    measure(rig, depth=100, pp=50, tg=5, repeat=2)
    assert rig.desk._prefixes.used == used
    assert len(rig.desk._prefixes._free) == rig.desk._context.runs
    assert rig.answer(prompt(max_tokens=8))[0] == before


def test_the_threads_are_those_asked_for_and_then_the_old_ones(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[tuple[int, int]] = []
    monkeypatch.setattr(rig.desk._context, "set_threads", lambda *pair: threads.append(pair))
    measure(rig, tg=1, threads=2)
    assert threads == [(2, 1), (1, 1)]


def test_too_deep_a_measurement_fails(rig: Rig) -> None:
    failed = measure(rig, depth=500, tg=13)
    assert isinstance(failed, Failed)
    assert (failed.key, failed.code) == (KEY, "too_deep")
    assert isinstance(measure(rig, depth=500, tg=12), Measured)


def test_it_tells_how_far_it_is(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "_PROGRESS_S", 0.0)
    rig.say(Measure(key=KEY, depth=10, pp=64, tg=2, repeat=2))
    told = [(f.done, f.total) for f in rig.finish() if isinstance(f, Prefill)]
    assert told == [(n, 142) for n in (10, 74, 75, 76, 140, 141, 142)]


def test_a_request_ends_it(rig: Rig) -> None:
    rig.say(Measure(key=KEY, tg=100))
    rig.step(3)
    rig.say(prompt(key="now", max_tokens=2))
    frames = rig.finish()
    assert done(frames, "now").completion_tokens
    kinds = [type(f).__name__ for f in frames if getattr(f, "key", "") in {"now", KEY}]
    assert kinds[0] == "Failed"
    (failed,) = (f for f in frames if isinstance(f, Failed))
    assert (failed.key, failed.code) == (KEY, "interrupted")
    assert isinstance(measure(rig, tg=1), Measured)


def test_a_request_ends_a_step_that_reads(rig: Rig) -> None:
    rig.say(Measure(key=KEY, pp=500))
    rig.step()
    before = rig.desk.interrupted
    rig.say(prompt(max_tokens=1))
    rig.worker._attend(1.0)
    assert (before, rig.desk.interrupted) == (False, True)
    rig.finish()


def test_behind_a_request_it_waits(rig: Rig) -> None:
    rig.say(prompt(key="first", max_tokens=4), Measure(key=KEY, tg=1))
    rig.step(2)
    rig.say(prompt(key="next", max_tokens=1, priority=0))
    rig.worker._attend(1.0)
    assert not rig.desk.interrupted
    frames = rig.finish()
    assert isinstance(frames[-1], Measured)
    assert not any(isinstance(frame, Failed) for frame in frames)


def test_errands_come_one_after_the_other(rig: Rig) -> None:
    lesson = Learn(key="prefix/butler", messages=(system("You are a butler. " * 5),))
    rig.say(Measure(key=KEY, tg=2), lesson, Measure(key=KEY, pp=2))
    answers = [type(f) for f in rig.finish() if isinstance(f, Measured | Learned | Failed)]
    assert answers == [Measured, Learned, Measured]


def refusing(error: int | Exception) -> Any:
    def decode(*_: Any) -> int:
        if isinstance(error, Exception):
            raise error
        return error

    return decode


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(ABORTED, "interrupted"), (FULL, "no_room"), (DecodeError("-3"), "decode_failed")],
)
def test_a_step_that_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, outcome: int | Exception, code: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rig.desk._context, "decode", refusing(outcome))
        failed = measure(rig, pp=5)
    assert isinstance(failed, Failed)
    assert (failed.key, failed.code) == (KEY, code)
    assert isinstance(measure(rig, pp=5), Measured)


@pytest.mark.parametrize(("name", "value"), [("open", None), ("room", False)])
def test_when_nothing_gives_way(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rig.desk._prefixes, name, lambda *_: value)
        failed = measure(rig, pp=5)
    assert isinstance(failed, Failed)
    assert failed.code == "no_room"
    assert isinstance(measure(rig, pp=5), Measured)
