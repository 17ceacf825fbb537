"""Made-up models are timed twice, some loads apart, by real children that all end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from edged.clock import SystemClock
from edged.daemon.scratch import Scratch
from edged.daemon.trying import WAITING, Trying
from edged.engine.supervisor import Settings
from edged.errors import EngineError, StorageError
from edged.models.made import size
from edged.models.trials import FEWEST_DECODED, MOST_DECODED, Timing, Trial
from tests.daemon.test_calibrate import small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.process
COUNTS = (1, 2)
ROOMY = 1 << 40
PLAIN = msgspec.structs.replace(small()[0], read=8)
assert not PLAIN.depth


def named(*names: str) -> list[Trial]:
    return [msgspec.structs.replace(PLAIN, name=name) for name in names]


def heard(  # noqa: PLR0913 - what differs between tests
    folder: Path,
    trials: list[Trial],
    room: int,
    *,
    late: bool = False,
    settings: Settings | None = None,
    aside: Callable[[], object] = list,
) -> list[list[Timing]]:
    """What each trial gave when it was loaded, and the rest."""

    async def tried() -> list[list[Timing]]:
        async with Trying(COUNTS, room, SystemClock(), lambda: late, settings) as trying:
            with Scratch(folder) as scratch:
                found = [
                    await trying.time(trial, scratch.made(trial.shape), aside) for trial in trials
                ]
            assert len(children()) <= WAITING
            return [*found, await trying.rest()]

    found = asyncio.run(tried())
    assert children() == []
    return found


def children() -> list[str]:
    lines = (" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True))
    return [line for line in lines if "edged.engine.worker" in line]


def names(timings: list[Timing]) -> str:
    """Of each its trial, in capitals where it read too."""
    return "".join(each.trial.upper() if each.prefill else each.trial for each in timings)


def test_a_model_is_timed_again_when_others_need_its_place(tmp_path: Path) -> None:
    trials = named(*"abcdef"[: WAITING + 1])
    found = heard(tmp_path, trials, ROOMY)
    assert [names(each) for each in found[:WAITING]] == ["aA", "bB", "cC", "dD"]
    assert names(found[WAITING]) == "a" + "eE"
    assert names(found[-1]) == "bcde"
    assert {each.threads for each in found[-1]} == {COUNTS[-1]}
    assert [each.threads for each in found[0]] == list(COUNTS)
    assert all(second > 0 for each in found for timing in each for second in timing.decode)


def test_no_more_is_loaded_than_there_is_room_for(tmp_path: Path) -> None:
    trials = named("a", "b", "c")
    assert [names(each) for each in heard(tmp_path, trials, 0)] == ["aA", "abB", "bcC", "c"]
    two = 2 * size(PLAIN.shape)
    assert [names(each) for each in heard(tmp_path, trials, two)] == ["aA", "bB", "acC", "bc"]
    twice = [trials[0], msgspec.structs.replace(trials[1], repack=True), trials[2]]
    kept = [names(each) for each in heard(tmp_path, twice, two)]
    assert kept == ["aA", "abB", "bcC", "c"], "a rearranged copy takes room as well"


def test_what_is_timed_at_a_depth_is_timed_once(tmp_path: Path) -> None:
    deep = msgspec.structs.replace(PLAIN, name="d", depth=16)
    found = heard(tmp_path, [deep], ROOMY)
    assert [(each.threads, each.depth) for each in found[0]] == [(1, 0), (1, 16), (2, 0), (2, 16)]
    assert found[1] == []


def test_nothing_is_timed_again_where_it_is_late(tmp_path: Path) -> None:
    found = heard(tmp_path, named("a", "b"), 0, late=True)
    assert [names(each) for each in found] == ["aA", "bB", ""]


def test_fewer_threads_decode_fewer_tokens() -> None:
    assert (PLAIN.decoded, PLAIN.decoded_by_fewer) == (MOST_DECODED, MOST_DECODED // 2)
    shape = msgspec.structs.replace(PLAIN.shape, layers=1, width=8192, ff=65_536)
    assert msgspec.structs.replace(PLAIN, shape=shape).decoded_by_fewer == FEWEST_DECODED


def test_something_else_is_done_while_a_model_is_loaded(tmp_path: Path) -> None:
    done: list[list[str]] = []
    heard(tmp_path, named("a", "b"), 0, aside=lambda: done.append(children()))
    assert len(done) == 2
    assert all(len(running) <= 1 for running in done), "nobody else is loaded by then"


def test_a_mistake_in_what_is_done_meanwhile_is_told(tmp_path: Path) -> None:
    def fail() -> None:
        message = "the disk is full"
        raise StorageError(message)

    with pytest.raises(StorageError, match="full"):
        heard(tmp_path, named("a"), ROOMY, aside=fail)
    assert children() == []


def test_who_does_something_meanwhile_is_waited_for(tmp_path: Path) -> None:
    """What he writes is there to be removed."""
    done: list[bool] = []

    def slow() -> None:
        time.sleep(1.0)
        done.append(True)

    with pytest.raises(EngineError, match="died"):
        heard(tmp_path, named("a"), ROOMY, settings=Settings(argv=("/bin/false",)), aside=slow)
    assert done


def test_a_child_that_dies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="died"):
        heard(tmp_path, named("a"), ROOMY, settings=Settings(argv=("/bin/false",)))
    assert children() == []
