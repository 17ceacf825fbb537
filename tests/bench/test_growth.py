"""What grows is measured at the size it says, and what must be flat is judged."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

from bench import growth, growth_cache, synthetic
from bench.growth_queue import TURNS, Queue
from bench.growth_verdict import Answer, Pair, Queued, judge
from bench.mixes import MIXES
from bench.report import MET, MISSED, UNJUDGED, Figure
from bench.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def answers(*pairs: tuple[int, float], read: int = 20) -> list[Answer]:
    return [Answer(size=size, ttft_ms=ms, read=read, rate=1e3 / ms) for size, ms in pairs]


def events(*pairs: tuple[int, float], clients: int = 1) -> list[Queued]:
    return [Queued(event="admit", waiting=size, clients=clients, us=us) for size, us in pairs]


def pairs(size: int, *ms: tuple[float, float], others: float = 0.0) -> list[Pair]:
    return [
        Pair(few=answers((size, few))[0], many=answers((size, many))[0], others=others)
        for few, many in ms
    ]


FEW = [*pairs(10, (10, 10)), *pairs(1000, (10, 11))]
SECOND = answers((64, 10), (4096, 30))
SHORT = events((10, 50), (10_000, 60))
TTFT = "same / a few asked before, at 1,000"


def figures(
    prefixes: Sequence[Pair] = FEW,
    depths: Sequence[Answer] = SECOND,
    queue: Sequence[Queued] = SHORT,
) -> dict[str, Figure]:
    found = judge(prefixes, 90, depths, queue, {}).figures
    return {figure.name: figure for figure in found}


def test_first_tokens_are_compared_pair_by_pair() -> None:
    found = figures([*pairs(10, (10, 99)), *pairs(1000, (10, 11), (100, 130), (50, 10))])
    assert found[TTFT].value == 1.1
    assert found[TTFT].verdict == MET
    assert found["TTFT of an unknown prompt, 1,000 asked before"].value == 11
    assert found["same / a few asked before, at 10"].verdict == UNJUDGED
    assert figures(pairs(1000, (10, 13)))[TTFT].verdict == MISSED
    assert found["prompts of that kind the cache has room for"].value == 90


def test_pairs_beside_which_others_computed_do_not_count() -> None:
    disturbed = pairs(1000, (10, 90), (10, 90), (10, 90), others=0.5)
    assert figures([*disturbed, *pairs(1000, (10, 11))])[TTFT].verdict == MET
    assert figures(disturbed)[TTFT].verdict == MISSED


def test_a_second_question_is_all_that_is_read_however_deep() -> None:
    name = "tokens read of a second question, 4,096 / 64 known"
    assert figures()[name].verdict == MET
    deep = [*answers((64, 10)), *answers((4096, 10), read=4116)]
    assert figures(depths=deep)[name].verdict == MISSED
    assert figures()["TTFT of a second question, 4,096 tokens known"].verdict == UNJUDGED


def test_events_are_compared_for_each_number_of_clients() -> None:
    queue = [*SHORT, *events((10, 50), (10_000, 101), clients=100)]
    found = figures(queue=queue)
    assert found["admit, 10,000 waiting of one client / 10"].verdict == MET
    assert found["admit, 10,000 waiting of 100 clients / 10"].verdict == MISSED
    assert found["admit, 10,000 waiting of 100 clients"].value == 101


def test_queues_of_all_lengths_take_turns() -> None:
    costs = list(islice(growth._costs((2, 5), clients=1), 4))
    assert [cost.waiting for cost in costs] == [2, 5, 2, 5]
    assert [cost.event for cost in costs] == ["admit", "admit", "decoded", "decoded"]


@pytest.mark.parametrize(("waiting", "clients"), [(0, 1), (12, 1), (12, 5), (12, 0)])
def test_a_queue_keeps_its_length(waiting: int, clients: int) -> None:
    queue = Queue(waiting, clients)
    costs = list(queue.costs())
    assert {cost.event for cost in costs} == {
        "admit",
        "decoded",
        "tick",
        "cancel",
        "completed",
        "reply taken",
    }
    assert len(costs) == 6 * TURNS
    standing = queue.snapshot()
    assert (standing.waiting, standing.running, standing.unconfirmed) == (waiting, 1, 0)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(growth_cache, "SHAPE", "tiny-dense")
    monkeypatch.setattr(growth_cache, "ASKS", 2)
    path = synthetic.cached("tiny-dense")
    synthetic.write(path, SHAPES["tiny-dense"], MIXES["2.70"])


@pytest.mark.usefixtures("small")
def test_new_prompts_are_read_by_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_cache, "PREFIXES", (3, 8))
    monkeypatch.setattr(growth_cache, "PREFIX_BYTES", 1 << 20)
    found, room = growth_cache.by_prefixes()
    assert [pair.many.size for pair in found] == [3, 3, 8, 8]
    assert 30 < room < 60
    assert all(answer.read > 40 for pair in found for answer in (pair.few, pair.many))


@pytest.mark.usefixtures("small")
def test_what_is_known_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_cache, "DEPTHS", (50, 500))
    found = list(growth_cache.by_depth())
    assert [answer.size for answer in found] == [50, 50, 500, 500]
    assert all(answer.read < 60 for answer in found)
    assert all(answer.rate > 0 for answer in found)
