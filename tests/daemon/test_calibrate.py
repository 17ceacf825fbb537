from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from edged.clock import SystemClock
from edged.daemon import calibrate as calibrating
from edged.daemon.calibrate import (
    DEFAULT_CACHE,
    calibrate,
    in_order,
    last_level_cache,
    plan_for,
    threads_for,
)
from edged.engine.supervisor import Settings
from edged.errors import EngineError, StorageError
from edged.models.facts import DeviceFacts
from edged.models.fit import MAX_THREADS
from edged.models.trials import DEEP_EXPERTS, ROUNDS, Trial, plan

if TYPE_CHECKING:
    from pathlib import Path

FACTS = DeviceFacts(
    architecture="x86_64", cores=1, ram_bytes=8 << 30, available_bytes=8 << 30, cpu_features=()
)


def small() -> list[Trial]:
    """Every kind of trial, of models so small that each is over at once."""
    trials = plan((), 1 << 20, kinds=())
    sizes = {"width": 256, "heads": 4, "kv_heads": 1, "head": 64}
    return [
        msgspec.structs.replace(
            trial,
            shape=msgspec.structs.replace(
                trial.shape,
                **sizes,
                layers=min(3, trial.shape.layers),
                ff=1024 if " " in trial.name else 256,
                experts=min(16, trial.shape.experts),
            ),
            read=min(32, trial.read),
            depth=min(64, trial.depth),
        )
        for trial in trials
    ]


def test_a_real_child_times_each_model_and_leaves_no_file(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    planned = small()
    found = asyncio.run(
        calibrate(
            FACTS,
            "board",
            tmp_path / "new",
            SystemClock(),
            planned=planned,
            tell=lambda *step: told.append(step),
        )
    )
    names = [name for _, _, name in told]
    assert names[: ROUNDS * len(planned)] == [trial.name for trial in planned] * ROUNDS
    assert [done for done, _, _ in told] == list(range(len(told)))
    assert len(told) <= (ROUNDS + 1) * len(planned)
    assert list((tmp_path / "new").iterdir()) == []
    assert found.board == "board"
    assert {(rate.kind, rate.use) for rate in found.rates} == {
        ("f32", "dense"),
        ("q8_0", "dense"),
        ("q8_0", "experts"),
    }
    assert {slope.kv_type for slope in found.slopes} == {"f16", "q8_0"}
    assert all(rate.byte.decode > 0 < rate.byte.prefill for rate in found.rates)
    assert found.seconds > 0 < found.wall


class SlowClock(SystemClock):
    """Each look at it takes a minute."""

    def __init__(self) -> None:
        self.looked = 0

    def monotonic(self) -> float:
        self.looked += 1
        return super().monotonic() + 60.0 * self.looked


def test_nothing_is_timed_again_where_there_is_no_time_left(tmp_path: Path) -> None:
    told: list[str] = []
    planned = small()
    asyncio.run(
        calibrate(
            FACTS,
            "board",
            tmp_path,
            SlowClock(),
            planned=planned,
            tell=lambda _done, _of, name: told.append(name),
        )
    )
    assert told == [trial.name for trial in planned]


@pytest.mark.parametrize(
    ("beside", "room"), [(0, (8 << 30) - (512 << 20)), (4 << 30, 3584 << 20), (99 << 30, 0)]
)
def test_half_of_what_is_left_beside_others_may_be_loaded(
    beside: int, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    class Full(Exception):  # noqa: N818 - nothing is wrong
        pass

    def trying(_counts: object, room: int, *_: object, **__: object) -> None:
        given.append(room)
        raise Full

    monkeypatch.setattr(calibrating, "Trying", trying)
    with pytest.raises(Full):
        asyncio.run(
            calibrate(
                FACTS,
                "b",
                tmp_path,
                SystemClock(),
                planned=small(),
                tell=lambda *_: None,
                beside=beside,
            )
        )
    assert given == [room // 2]


@pytest.mark.parametrize(("spent", "shorter"), [(0.0, 0), (0.5, 1), (0.99, 2)])
def test_who_is_behind_reads_half_of_a_prompt(spent: float, shorter: int) -> None:
    planned = [msgspec.structs.replace(small()[0], read=32)] * 3
    reads = [trial.read for trial in in_order(planned, [], lambda: spent, lambda *_: None)]
    assert reads == [16] * shorter + [32] * (3 - shorter) + [0] * 3


def test_a_child_that_dies_ends_it_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="died"):
        asyncio.run(
            calibrate(
                FACTS,
                "board",
                tmp_path,
                SystemClock(),
                planned=small()[:1],
                tell=lambda *_: None,
                settings=Settings(argv=("/bin/false",)),
            )
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "calibrating-0.gguf").mkdir()
    with pytest.raises(StorageError, match=r"calibrating-0\.gguf"):
        asyncio.run(
            calibrate(
                FACTS, "b", tmp_path, SystemClock(), planned=small()[:1], tell=lambda *_: None
            )
        )


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, (1,)), (2, (1, 2)), (4, (2, 3, 4)), (64, (2, 3, 4)), (0, (1,))]
)
def test_as_many_threads_as_cores_and_a_few_less(cores: int, counts: tuple[int, ...]) -> None:
    assert threads_for(cores) == counts
    assert counts[-1] <= MAX_THREADS


def test_the_largest_cache_counts(tmp_path: Path) -> None:
    assert last_level_cache(tmp_path) == DEFAULT_CACHE
    caches = tmp_path / "devices/system/cpu/cpu0/cache"
    for index, size in enumerate(("32K\n", "nonsense", "2048K\n", "1M\n")):
        (caches / f"index{index}").mkdir(parents=True)
        (caches / f"index{index}/size").write_text(size)
    assert last_level_cache(tmp_path) == 2 << 20
    left = (8 << 30) - (512 << 20)  # for the rest of the house
    assert plan_for(FACTS, tmp_path) == plan((), 2 << 20, memory_bytes=left)
    (caches / "index9").mkdir()
    (caches / "index9/size").write_text("480M\n")
    assert plan_for(FACTS, tmp_path) == plan((), 480 << 20, memory_bytes=left)


def test_a_control_group_bounds_the_models_as_the_board_does(tmp_path: Path) -> None:
    limited = msgspec.structs.replace(FACTS, cgroup_limit_bytes=1 << 30, cgroup_used_bytes=0)
    assert plan_for(limited, tmp_path) == plan((), DEFAULT_CACHE, memory_bytes=512 << 20)
    names = {trial.name for trial in plan_for(limited, tmp_path)}
    assert DEEP_EXPERTS in {trial.name for trial in plan_for(FACTS, tmp_path)} - names
