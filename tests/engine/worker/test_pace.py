"""A paced worker on a clock of its own: when it computes, and what ends its rests."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.frames import Beat, Cancel, Delta, Done, Effort, Pace, Prefill
from edged.engine.worker.native import llama
from tests.engine.harness import POCKET, load, prompt
from tests.engine.worker.rig import Rig, done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.engine.frames import Generate, ToChild

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")

WORKER = "edged.engine.worker."
STEP_S = 0.02
EIGHT = Pace(threads=1, threads_batch=1, decode_tps=8.0, prefill_chunk=16)
SLOWEST = Pace(threads=1, threads_batch=1, decode_tps=0.1)
FREE = Pace(threads=1, threads_batch=1)


class Timed(Rig):
    """A rig in which only computing and resting take time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, streams: int) -> None:
        super().__init__()
        self.now = 1000.0
        self.sizes: list[int] = []
        self.decoded_at: list[float] = []
        self.step_s = STEP_S
        self.at: dict[float, list[ToChild]] = {}
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)
        # In all of them: a machine that was just booted has another clock than ours.
        for name, module in list(sys.modules.items()):
            if name.startswith(WORKER) and vars(module).get("time") is time:
                monkeypatch.setattr(module, "time", clock)
        self.channel.sent_at = self.now
        monkeypatch.setattr(llama, "llama_vocab_is_eog", lambda *_: False)
        self.open(load(prefill_chunk=16, streams=streams))
        self._attend = self.worker._attend
        self.worker._attend = self.rest  # type: ignore[method-assign]
        self._decode = self.desk._context.decode
        self.desk._context.decode = self.decode  # type: ignore[method-assign, assignment]
        self._took = self.desk._cadence.took
        self.desk._cadence.took = self.took  # type: ignore[method-assign]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def rest(self, timeout_s: float | None) -> None:
        """Attend, for as long as that in our own time; or until something is due to be said."""
        until = self.now + (timeout_s or 0.0)
        due = min((at for at in self.at if at <= until), default=None)
        if due is not None:
            self.say(*self.at.pop(due))
            until = max(self.now, due)
        self._attend(0.0)
        self.now = until

    def decode(self, abort: Any) -> int:
        self.sizes.append(self.desk._context.batch.size)
        self.now += self.step_s
        return self._decode(abort)

    def took(self, now: float) -> None:
        self.decoded_at.append(now)
        self._took(now)

    def gaps(self) -> list[float]:
        """Seconds between the beginnings of steps that decoded."""
        return [after - before for before, after in pairwise(self.decoded_at)]


@pytest.fixture(params=[1])
def timed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Timed]:
    with Timed(monkeypatch, request.param) as rig:
        yield rig


def answer(key: str = "k", count: int = 12, **fields: Any) -> Generate:
    return prompt("is it warm", key=key, max_tokens=count, **fields)


def test_a_paced_stream_is_even(timed: Timed) -> None:
    timed.say(EIGHT, answer())
    timed.finish()
    assert timed.gaps()[1:] == pytest.approx([0.125] * 10)


def test_a_free_stream_does_not_rest(timed: Timed) -> None:
    timed.say(EIGHT, FREE, answer())
    timed.finish()
    assert timed.gaps()[1:] == pytest.approx([STEP_S] * 10)


def test_a_slow_step_is_no_reason_for_a_burst(timed: Timed) -> None:
    timed.say(EIGHT, answer())
    timed.step(4)
    timed.step_s = 0.5
    timed.step()
    timed.step_s = STEP_S
    timed.finish()
    assert min(timed.gaps()) == pytest.approx(0.75 * 0.125)
    assert timed.gaps()[-3:] == pytest.approx([0.125] * 3)


def test_a_model_slower_than_its_pace_does_not_rest(timed: Timed) -> None:
    timed.say(EIGHT, answer())
    timed.step_s = 0.2
    timed.finish()
    assert timed.gaps()[1:] == pytest.approx([0.2] * 10)


def test_a_new_pace_takes_effect_within_a_token_and_ends_too(timed: Timed) -> None:
    timed.say(answer(count=30))
    timed.at = {timed.now + 0.2: [EIGHT], timed.now + 1.0: [FREE]}
    timed.finish()
    paced = [gap for gap in timed.gaps() if gap > STEP_S * 1.01]
    assert len(paced) == 7
    assert paced[:6] == pytest.approx([0.125] * 6)
    assert paced[6] < 0.125, "it does not sleep on once it is free"
    assert len(timed.gaps()) == 29


def test_a_cancel_ends_a_rest(timed: Timed) -> None:
    timed.say(SLOWEST, answer())
    timed.step(3)
    began = timed.now
    timed.at = {began + 0.5: [Cancel(key="k")]}
    frames = timed.finish()
    assert done(frames).finish_reason == "cancelled"
    assert timed.now == pytest.approx(began + 0.5)
    assert any(isinstance(frame, Effort) for frame in timed.frames)


def test_a_rest_beats_or_tells_what_it_did(timed: Timed) -> None:
    timed.say(SLOWEST, answer(count=4))
    heard = timed.finish()
    efforts = [frame for frame in heard if isinstance(frame, Effort)]
    assert len(efforts) >= 15, "two rests of ten seconds, about one each second"
    assert all(effort.wall_ms <= 2100.0 for effort in efforts)
    assert max(effort.busy_ms for effort in efforts) < 100.0
    assert not [frame for frame in heard if isinstance(frame, Beat)]


@pytest.mark.parametrize("timed", [2], indirect=True)
def test_two_streams_have_the_cap_each_and_share_their_steps(timed: Timed) -> None:
    timed.say(EIGHT, answer("a"), answer("b"))
    timed.finish()
    assert timed.sizes.count(2) >= 9
    gaps = timed.gaps()
    assert gaps[2:] == pytest.approx([0.125] * (len(gaps) - 2))


@pytest.mark.parametrize("timed", [2], indirect=True)
def test_a_newcomer_is_read_while_the_other_rests(timed: Timed) -> None:
    """Its prompt fills the pause, and the pace of the one that answers is kept."""
    timed.say(EIGHT, answer("a", 20))
    timed.step(5)
    timed.say(prompt("the kitchen is warm and the window is open " * 3, key="b", max_tokens=2))
    timed.finish()
    assert [size for size in timed.sizes if size > 2]
    deltas = [frame.key for frame in timed.frames if isinstance(frame, Delta)]
    told = [frame for frame in timed.frames if isinstance(frame, Prefill) and frame.key == "b"]
    assert told[-1].done == told[-1].total
    assert deltas[-1] == "a"
    ends = [frame.key for frame in timed.frames if isinstance(frame, Done)]
    assert ends == ["b", "a"]
    gaps = timed.gaps()
    assert min(gaps) >= 0.75 * 0.125 * 0.999
    assert max(gaps) <= 0.125 + STEP_S, "late by at most a chunk"


def test_effort_tells_the_possible_rate_from_the_paced_one(timed: Timed) -> None:
    timed.say(EIGHT, answer(count=40))
    efforts = [frame for frame in timed.finish() if isinstance(frame, Effort)]
    last = efforts[-1]
    assert last.decodes / last.decode_ms * 1e3 == pytest.approx(1 / STEP_S)
    assert last.decodes / last.wall_ms * 1e3 == pytest.approx(8.0, rel=0.15)
    assert last.busy_ms / last.wall_ms == pytest.approx(STEP_S * 8.0, rel=0.15)
    assert (last.decoding, last.threads, last.core_ms) == (1, 1, last.busy_ms)


def test_an_idle_share_rests_as_long_as_it_says_beside_a_pace(timed: Timed) -> None:
    """Whichever rest is longer: 20 ms of computing at a share of 0.9 are 200 ms a token."""
    timed.say(Pace(threads=1, threads_batch=1, decode_tps=8.0, idle_share=0.9), answer())
    timed.finish()
    assert timed.gaps()[1:] == pytest.approx([0.2] * 10)
