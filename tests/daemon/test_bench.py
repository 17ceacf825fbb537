"""Measuring a file with the scripted child, and once with the real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from edged.clock import SystemClock
from edged.daemon.bench import Bench
from edged.errors import EngineError
from edged.models.tuning import Plan, Sense, Setting
from tests.engine.harness import POCKET, load, real, script
from tests.rig.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.supervisor import Settings
    from edged.models.figures import Measurement

pytestmark = pytest.mark.process

OFF, ON = Setting(repack=False), Setting(repack=True)
SHORT = Plan(
    tg=4, pp=32, repeat=2, depths=(64, 4096), depth_tg=2, tune_tg=2, tune_pp=8, tune_repeat=1
)


class Board:
    """Temperatures one after the other; the last one stays."""

    def __init__(self, *temps: float | None) -> None:
        self.temps = list(temps)
        self.slept: list[float] = []

    def sense(self) -> Sense:
        temp = self.temps.pop(0) if len(self.temps) > 1 else self.temps[0]
        return Sense(temp, 2_400_000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def bench(engine: Settings, **fields: Any) -> Bench:
    given = {"digest": "d", "board": "b", "clock": SystemClock(), "cores": 4, "plan": SHORT}
    return Bench(load(), **{**given, "engine": engine, **fields})


def run(engine: Settings, **fields: Any) -> Measurement:
    return asyncio.run(bench(engine, **fields).run())


def test_the_best_threads_are_found_and_measured(tmp_path: Path) -> None:
    """The script is fastest with three threads; behind 64 tokens it is slower by a known part."""
    found = run(script(tmp_path, n_ctx=512, speeds=(3.0, 6.0, 8.0, 7.0)))
    assert [found.tps, found.error, found.pp] == pytest.approx([8.0, 0.0, 80.0])
    assert (found.threads, found.threads_batch) == (3, 3)
    assert [depth.tokens for depth in found.depths] == [0, 64]
    assert [depth.tps for depth in found.depths] == pytest.approx([8.0, 8 / (1 + 64 / 4096)])
    assert found.context == 512
    assert [(row.repack, row.kind, row.threads, round(row.tps)) for row in found.tries] == [
        (repack, kind, threads, tps * factor)
        for repack in (False, True)
        for kind, factor in (("tg", 1), ("pp", 10))
        for threads, tps in ((2, 6), (3, 8), (4, 7))
    ]


def test_of_equal_loads_the_one_without_repacking_is_measured(tmp_path: Path) -> None:
    found = run(script(tmp_path, n_ctx=512, speeds=(5.0,)), cores=1)
    assert (found.repack, found.threads, found.threads_batch) == (False, 1, 1)
    assert (tmp_path / "script.json.lives").stat().st_size == 3
    (tmp_path / "script.json.lives").unlink()
    assert run(script(tmp_path, n_ctx=512), settings=(ON, OFF)).repack is False
    assert (tmp_path / "script.json.lives").stat().st_size == 2, "it is still loaded"
    assert run(script(tmp_path, n_ctx=512), settings=(ON,)).repack is True


def test_types_of_cache_are_timed_behind_tokens(tmp_path: Path) -> None:
    found = run(
        script(tmp_path, n_ctx=512, speeds=(5.0,)),
        settings=(Setting(repack=False, kv_type="q8_0"), OFF),
        cores=1,
    )
    assert [(row.kv_type, row.kind, row.depth) for row in found.tries] == [
        (kv_type, kind, depth)
        for kv_type in ("q8_0", "f16")
        for kind, depth in (("tg", 0), ("pp", 0), ("tg", 510))
    ]
    assert [row.tps for row in found.tries if row.depth] == pytest.approx(
        [5 / (1 + 510 / 4096)] * 2
    )
    assert found.kv_type == "f16", "of equals, what changes no numbers"


def test_what_is_being_done_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    run(
        script(tmp_path, n_ctx=512, load_ms=10),
        settings=(ON,),
        cores=1,
        tell=lambda text, _share: told.append(text) if text not in told else None,
    )
    assert told == [
        "loading, repack on",
        "decode with 1 threads",
        "prefill with 1 threads",
        "tg4 with 1 threads",
        "pp32 with 1 threads",
        "tg2 behind 64 tokens",
    ]


def test_a_hot_board_is_waited_for(tmp_path: Path) -> None:
    board, told = Board(66.0, 63.0, 60.0, 55.0), list[str]()
    found = run(
        script(tmp_path, n_ctx=512),
        settings=(OFF,),
        sense=board.sense,
        sleep=board.sleep,
        tell=lambda text, _: told.append(text),
    )
    assert len(board.slept) == 2
    assert told[:2] == ["waiting for 60 C, it is 66.0 C", "waiting for 60 C, it is 63.0 C"]
    assert (found.began_c, found.temp_c, found.khz, found.hot) == (55.0, 55.0, 2_400_000, False)


def test_patience_ends_and_heat_is_told(tmp_path: Path) -> None:
    board, clock = Board(80.0), FakeClock()

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)
        board.slept.append(seconds)

    found = run(
        script(tmp_path, n_ctx=512), settings=(OFF,), sense=board.sense, sleep=sleep, clock=clock
    )
    assert sum(board.slept) == SHORT.cool_s
    assert (found.began_c, found.hot) == (80.0, True)


def test_without_a_sensor_nothing_is_known(tmp_path: Path) -> None:
    found = run(script(tmp_path, n_ctx=512), settings=(OFF,))
    assert (found.began_c, found.temp_c, found.khz, found.hot) == (None, None, None, False)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"load_failed": ("bad_model", "no magic")}, "died: bad_model, no magic"),
        ({"faults": [{"at": "measure", "do": "signal", "value": "SIGSEGV"}]}, "died: SIGSEGV"),
    ],
)
def test_a_child_that_dies_ends_it(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(EngineError, match=says):
        run(script(tmp_path, n_ctx=512, **fields))


def test_a_context_too_short_for_the_plan_fails(tmp_path: Path) -> None:
    plan = Plan(tune_tg=1000)
    with pytest.raises(EngineError, match="cannot measure: too_deep"):
        run(script(tmp_path, n_ctx=512), plan=plan)


@pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")
def test_the_real_child_is_measured() -> None:
    shares: list[float] = []
    found = run(real(), cores=1, tell=lambda _, share: shares.append(share))
    assert (found.digest, found.board, found.context, found.threads) == ("d", "b", 512, 1)
    assert found.tps > 0
    assert found.pp > 0
    assert [depth.tokens for depth in found.depths] == [0, 64]
    assert len(found.tries) == 4
    assert all(0 <= share <= 1 for share in shares)
