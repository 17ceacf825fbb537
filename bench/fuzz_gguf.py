"""Changed GGUF headers for the reader: `python -m bench.fuzz_gguf`, a million with `--full`."""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.mutations import Input, judge, mutate
from bench.report import Options, Result, judged, median, run, told
from bench.synthetic import cached
from edged.models.gguf import read
from edged.models.local import check_file

if TYPE_CHECKING:
    from collections.abc import Sequence

POCKET: Final = Path(__file__).parents[1] / "edged" / "data" / "pocket.gguf"
SMALL: Final = ("tiny", "tiny-dense", "tiny-mamba2", "tiny-hybrid")
LARGE: Final = "slight-152k"  # the vocabulary of Qwen3
LARGE_REPEATS: Final = 21
SEED: Final = 20_261_125
COUNT: Final = 100_000
FULL_COUNT: Final = 1_000_000
WEIGHED_EACH: Final = 200  # measuring memory makes reading five times slower
MEMORY_BYTES: Final = 4 << 20  # besides the input itself
LARGE_MEMORY_BYTES: Final = 32 << 20
SLOWEST_MS: Final = 50.0
SHOWN_BYTES: Final = 400  # of an input that broke the reader


class Found(msgspec.Struct, kw_only=True):
    """What came of many inputs.

    Attributes:
        outcomes: How many ended how.
        broken: Inputs that broke a promise, with what it was; the first few.
        slowest_ms: Of a single one that was not weighed.
        peak_bytes: The most that a weighed one took besides its own bytes.
    """

    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    broken: list[str] = []
    slowest_ms: float = 0.0
    peak_bytes: int = 0


def header_of(path: Path) -> Input:
    """The header of a sound file, and the size of the file."""
    with path.open("rb") as file:
        return Input(file.read(check_file(path).data_offset), path.stat().st_size)


def feed(seeds: Sequence[Input], count: int, source: random.Random) -> Found:
    """Change and read so many headers.

    Args:
        seeds: Headers of sound files.
        count: Of inputs.
        source: Decides all.
    """
    found = Found()
    for number in range(count):
        given = mutate(source, seeds)
        weighed = number % WEIGHED_EACH == 0
        if weighed:
            tracemalloc.start()
        began = time.perf_counter()
        try:
            found.outcomes[judge(given)] += 1
        except Exception as error:  # noqa: BLE001 - any is a mistake of the reader
            found.outcomes["broken"] += 1
            if len(found.broken) < 10:  # noqa: PLR2004 - enough to begin with
                shown = given.data[:SHOWN_BYTES].hex()
                found.broken.append(f"{number}: {error!r} of size {given.size}: {shown}")
        if weighed:
            found.peak_bytes = max(found.peak_bytes, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        else:
            found.slowest_ms = max(found.slowest_ms, (time.perf_counter() - began) * 1e3)
    return found


def large() -> tuple[float, int]:
    """Reading a header of 150,000 tokens: the median in ms, and bytes of memory."""
    given = header_of(cached(LARGE))
    times = []
    for _ in range(LARGE_REPEATS):
        began = time.perf_counter()
        read(given.data, given.size)
        times.append((time.perf_counter() - began) * 1e3)
    tracemalloc.start()
    read(given.data, given.size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return median(times) or 0.0, peak + len(given.data)


def measure(options: Options) -> Result:
    """Whatever the bytes, the reader of GGUF headers answers with a value, soon."""
    small = [header_of(cached(name)) for name in SMALL]
    seeds = [*small, *small, header_of(POCKET)]
    count = FULL_COUNT if options.full else COUNT
    began = time.perf_counter()
    found = feed(seeds, count, random.Random(SEED))  # noqa: S311 - no secret
    seconds = time.perf_counter() - began
    for line in found.broken:
        print(line, file=sys.stderr)
    large_ms, large_bytes = large()
    outcomes = found.outcomes
    return Result(
        figures=(
            judged("inputs that broke a promise", outcomes["broken"], "== 0"),
            told("inputs", count),
            told("accepted", outcomes["header"]),
            told("refused", outcomes["bad"]),
            told("wanted more", outcomes["more"]),
            judged("most memory of one", found.peak_bytes, f"<= {MEMORY_BYTES}", "bytes"),
            told("slowest one", found.slowest_ms, "ms"),
            judged("header of 152k tokens", large_ms, f"<= {SLOWEST_MS}", "ms"),
            judged("its memory", large_bytes, f"<= {LARGE_MEMORY_BYTES}", "bytes"),
            told("time", seconds, "s"),
        ),
        conditions={"seed": SEED},
    )


if __name__ == "__main__":
    sys.exit(run("fuzz_gguf", measure))
