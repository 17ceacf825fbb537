"""What a child may answer: what it was asked, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.engine.events import LostRun
from edged.engine.frames import Delta, Done, Failed, Learned, Measured, Prefill, Saved
from edged.engine.work import Work
from edged.errors import FrameError

if TYPE_CHECKING:
    from edged.engine.frames import News

ERRAND = "prefix/butler"


def prefill(key: str) -> Prefill:
    return Prefill(key=key, done=1, total=2)


def delta(key: str, tokens: int = 1) -> Delta:
    return Delta(key=key, text="a", tokens=tokens)


def failed(key: str) -> Failed:
    return Failed(key=key, code="c", message="m")


def learned(key: str) -> Learned:
    return Learned(key=key, tokens=3, cached=0, state_bytes=9, read_ms=1.0)


def saved(key: str) -> Saved:
    return Saved(key=key, size=9)


def measured(key: str) -> Measured:
    return Measured(key=key, tg_ms=(1.0,))


def done(key: str) -> Done:
    return Done(
        key=key,
        finish_reason="stop",
        prompt_tokens=2,
        cached_tokens=0,
        completion_tokens=2,
        prompt_ms=1.0,
        predicted_ms=1.0,
        ttft_ms=1.0,
    )


def two() -> Work:
    """Two runs and an errand."""
    work = Work()
    assert work.begin("a")
    assert work.begin("b")
    work.send(ERRAND)
    return work


def test_counts() -> None:
    work = two()
    assert (len(work), work.runs) == (3, 2)
    work.take(done("a"))
    work.take(failed("b"))
    assert (len(work), work.runs) == (1, 0)
    work.take(learned(ERRAND))
    assert not work


def test_a_run_that_runs_is_not_begun_again() -> None:
    work = two()
    work.take(delta("a", 5))
    assert not work.begin("a")
    assert work.lost()[0].tokens_done == 5


def test_during_is_that_of_the_furthest_run() -> None:
    work = Work()
    work.send(ERRAND)
    stages: list[str] = [work.during]
    work.begin("a")
    work.begin("b")
    for frame in (prefill("a"), delta("b"), done("b")):
        work.take(frame)
        stages.append(work.during)
    assert stages == ["idle", "prefill", "decode", "prefill"]


def test_the_lost_are_all_runs_with_their_tokens_and_no_errand() -> None:
    work = two()
    work.take(prefill("a"))
    work.take(delta("b", 2))
    work.take(delta("b", 3))
    assert work.lost() == (
        LostRun(key="a", during="prefill", tokens_done=0),
        LostRun(key="b", during="decode", tokens_done=5),
    )


def test_the_oldest_cancel_counts_and_a_run_is_cancelled_once() -> None:
    work = two()
    oldest = [work.cancelled_at]
    assert work.cancel("b", 1.0)
    assert work.cancel("a", 2.0)
    assert not any(work.cancel(key, 3.0) for key in ("b", "x", ERRAND))
    oldest.append(work.cancelled_at)
    work.take(done("b"))
    oldest.append(work.cancelled_at)
    assert oldest == [None, 1.0, 2.0]


def test_several_errands_of_one_key_have_an_answer_each() -> None:
    work = Work()
    for _ in range(2):
        work.send(ERRAND)
    work.take(prefill(ERRAND))
    work.take(learned(ERRAND))
    work.take(saved(ERRAND))
    work.send("measure/tg")
    work.take(measured("measure/tg"))
    assert not work
    with pytest.raises(FrameError, match="Saved for what does not run"):
        work.take(saved(ERRAND))


@pytest.mark.parametrize(
    "frame",
    [
        *(kind("x") for kind in (prefill, delta, done, failed, learned, saved, measured)),
        learned("a"),
        saved("a"),
        measured("a"),
        delta(ERRAND),
        done(ERRAND),
    ],
    ids=lambda frame: f"{type(frame).__name__}-{frame.key}",
)
def test_what_was_not_asked_is_a_lie_and_changes_nothing(frame: News) -> None:
    work = two()
    with pytest.raises(FrameError, match="for what does not run"):
        work.take(frame)
    assert len(work) == 3
    assert [run.tokens_done for run in work.lost()] == [0, 0]
