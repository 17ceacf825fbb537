"""Made-up models are timed twice, some loads apart, by real children that all end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from edged.clock import SystemClock
from edged.daemon import trying
from edged.daemon.scratch import Scratch
from edged.daemon.trying import Trying, need
from edged.engine.supervisor import Settings
from edged.errors import EngineError, StorageError
from edged.models.made import size
from edged.models.trials import FEWEST_DECODED, MOST_DECODED, TIMES, Timing, Trial
from tests.daemon.test_calibrate import small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edged.models.made import Shape

pytestmark = pytest.mark.process
COUNTS = (1, 2)
ROOMY = 1 << 40
PLAIN = msgspec.structs.replace(small()[0], read=8)
assert not PLAIN.depth


def named(*names: str) -> list[Trial]:
    return [msgspec.structs.replace(PLAIN, name=name) for name in names]


def heard(  # noqa: PLR0913 - what differs between tests
    folder: Path,
    groups: list[list[Trial]],
    room: int,
    *,
    late: bool = False,
    settings: Settings | None = None,
    make: Callable[[Scratch, Shape], Path] = Scratch.made,
) -> list[list[Timing]]:
    """What each group gave when it was timed, and the rest."""

    async def tried() -> list[list[Timing]]:
        with Scratch(folder) as scratch:
            async with Trying(
                COUNTS,
                room,
                SystemClock(),
                late=lambda: late,
                make=partial(make, scratch),
                settings=settings,
            ) as trying:
                return [*[await trying.time(group) for group in groups], await trying.rest()]

    found = asyncio.run(tried())
    assert children() == []
    return found


def children() -> list[str]:
    lines = (" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True))
    return [line for line in lines if "edged.engine.worker" in line]


def names(timings: list[Timing]) -> str:
    """Of each its trial, in capitals where it read too."""
    return "".join(each.trial.upper() if each.prefill else each.trial for each in timings)


def alone(*names: str) -> list[list[Trial]]:
    return [[trial] for trial in named(*names)]


def test_models_are_loaded_side_by_side_and_timed_one_after_the_other(tmp_path: Path) -> None:
    first, rest = heard(tmp_path, [named("a", "b", "c")], ROOMY)
    assert names(first) == "aAbBcC"
    assert [timing.threads for timing in first] == [*COUNTS] * 3
    assert names(rest) == "abc"
    assert {timing.threads for timing in rest} == {COUNTS[-1]}
    for timing in first + rest:
        assert all(second > 0 for second in timing.decode)
        assert len(timing.decode) == (TIMES if timing.threads == COUNTS[-1] else 1)


def test_what_is_there_is_not_loaded_again(tmp_path: Path) -> None:
    made: list[Shape] = []

    def make(scratch: Scratch, shape: Shape) -> Path:
        made.append(shape)
        return scratch.made(shape)

    twice = msgspec.structs.replace(PLAIN, name="a", repack=True)
    groups = [named("a", "b"), named("a"), [twice], named("b", "c")]
    found = heard(tmp_path, groups, ROOMY, make=make)
    assert [names(each) for each in found] == ["aAbB", "aA", "aA", "bBcC", "aabc"]
    assert len(made) == 4, "a, b, a rearranged, and c"


def test_a_model_is_timed_again_when_others_need_its_place(tmp_path: Path) -> None:
    two = 2 * need(PLAIN)
    found = heard(tmp_path, alone("a", "b", "c"), two)
    assert [names(each) for each in found] == ["aA", "bB", "acC", "bc"]
    large = msgspec.structs.replace(
        PLAIN, name="l", shape=msgspec.structs.replace(PLAIN.shape, layers=9)
    )
    found = heard(tmp_path, [*alone("a"), [large], *alone("b")], two + need(large) - need(PLAIN))
    assert [names(each) for each in found] == ["aA", "lL", "lbB", "ab"], "the largest makes room"


def test_no_more_is_loaded_than_there_is_room_for(tmp_path: Path) -> None:
    assert names(heard(tmp_path, [named("a", "b", "c")], 0)[0]) == "aAabBbcC"
    twice = msgspec.structs.replace(PLAIN, repack=True)
    assert need(twice) - need(PLAIN) == size(PLAIN.shape), "a rearranged copy takes room as well"


def test_no_more_than_so_many_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "WAITING", 2)
    found = heard(tmp_path, [named("a", "b"), *alone("c")], ROOMY)
    assert [names(each) for each in found] == ["aAbB", "acC", "bc"]


def test_what_is_timed_at_a_depth_is_timed_once(tmp_path: Path) -> None:
    deep = msgspec.structs.replace(PLAIN, name="d", depth=16)
    found = heard(tmp_path, [[deep]], ROOMY)
    assert [(each.threads, each.depth) for each in found[0]] == [(1, 0), (1, 16), (2, 0), (2, 16)]
    assert found[1] == []


def test_nothing_is_timed_again_where_it_is_late(tmp_path: Path) -> None:
    found = heard(tmp_path, alone("a", "b"), 0, late=True)
    assert [names(each) for each in found] == ["aA", "bB", ""]


def test_fewer_threads_decode_fewer_tokens() -> None:
    assert (PLAIN.decoded, PLAIN.decoded_by_fewer) == (MOST_DECODED, MOST_DECODED // 2)
    shape = msgspec.structs.replace(PLAIN.shape, layers=1, width=8192, ff=65_536)
    assert msgspec.structs.replace(PLAIN, shape=shape).decoded_by_fewer == FEWEST_DECODED


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    def fail(_scratch: Scratch, _shape: Shape) -> Path:
        message = "the disk is full"
        raise StorageError(message)

    with pytest.raises(StorageError, match="full"):
        heard(tmp_path, [named("a", "b")], ROOMY, make=fail)
    assert children() == []


def test_a_file_that_is_being_made_is_waited_for(tmp_path: Path) -> None:
    """Or nobody would remove it."""
    made: list[Path] = []

    def slow(scratch: Scratch, shape: Shape) -> Path:
        time.sleep(0.5)
        made.append(scratch.made(shape))
        return made[-1]

    async def given_up() -> None:
        with Scratch(tmp_path) as scratch:
            make = partial(slow, scratch)
            async with Trying(
                COUNTS, ROOMY, SystemClock(), late=lambda: False, make=make
            ) as trying:
                task = asyncio.create_task(trying.time(named("a")))
                await asyncio.sleep(0.1)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert made

    asyncio.run(given_up())
    assert children() == []
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_dies_ends_all(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="died"):
        heard(tmp_path, [named("a", "b")], ROOMY, settings=Settings(argv=("/bin/false",)))
    assert children() == []
