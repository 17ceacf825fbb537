"""How well the memory of a model is told from its header: predicted need against a child's peak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench import synthetic
from bench.direct import Direct
from bench.footprint import footprint
from bench.report import Figure, Options, Result, judged, run, told
from edged.engine.frames import Load, Measure, Measured
from edged.models.device import Roots, probe
from edged.models.fit import MIB, Need, Setup, need
from edged.models.local import check_file

if TYPE_CHECKING:
    from pathlib import Path

THREADS: Final = 2
DECODED: Final = 16
# Off by at most so much, whichever is more.
WITHIN_SHARE: Final = 0.05
WITHIN_BYTES: Final = 64 * MIB


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A model and how it is loaded.

    Attributes:
        shape: Of `bench.shapes`.
        mix: Of `bench.mixes`.
        setup: Without the CPU's features.
        read: Prompt tokens; scores are touched only as far as a prompt reaches.
    """

    shape: str
    mix: str = "2.70"
    setup: Setup
    read: int = 1024


CASES: Final = (
    Case(shape="tiny", setup=Setup(context=2048)),
    Case(shape="slight-152k", setup=Setup(context=4096, streams=4)),
    Case(shape="tiny-mamba2", setup=Setup(context=2048)),
    Case(shape="tiny-hybrid", setup=Setup(context=2048)),
    Case(shape="dense-1.7b", setup=Setup(context=4096, kv_type="q8_0")),
    Case(
        shape="dense-1.7b",
        mix="3.25",
        setup=Setup(context=2048, prefix_tokens=0, flash_attention=False),
        read=1984,
    ),
    Case(shape="overhead", setup=Setup(context=2048, streams=2)),
    Case(shape="narrow-a3b", setup=Setup(context=8192, repack=False)),
    Case(shape="narrow-a3b", mix="3.48", setup=Setup(context=2048, prefill_chunk=128)),
)
FULL_CASES: Final = (
    Case(shape="30b-a3b", setup=Setup(context=4096, kv_type="q8_0", repack=False)),
    Case(shape="30b-a3b", setup=Setup(context=2048)),
)


def measure(options: Options) -> Result:
    """Bytes that a file needs, told from its header, against what its child takes at most."""
    features = probe(Roots()).cpu_features
    figures: list[Figure] = []
    for case in CASES + (FULL_CASES if options.full else ()):
        setup = msgspec.structs.replace(case.setup, threads=THREADS, features=features)
        path = synthetic.cached(case.shape, case.mix)
        figures += _figures(
            _name(case), need(check_file(path), setup), _peak(path, setup, case.read)
        )
    conditions: dict[str, str | float] = {
        "threads": THREADS,
        "features": " ".join(features),
        "within": f"{WITHIN_SHARE:.0%} or {WITHIN_BYTES // MIB} MiB",
    }
    note = "the peak holds pages of the map whose weights were rearranged: the kernel may drop them"
    return Result(figures=tuple(figures), conditions=conditions, notes=(note,))


def _name(case: Case) -> str:
    setup = case.setup
    told = [f"{case.shape} {case.mix}", f"{setup.streams} x {setup.context}", setup.kv_type]
    told += [] if setup.repack else ["not repacked"]
    told += [] if setup.flash_attention else ["no flash attention"]
    return ", ".join(told)


def _figures(name: str, wanted: Need, peak: int) -> list[Figure]:
    expected = wanted.total + wanted.droppable
    allowed = max(WITHIN_SHARE * peak, WITHIN_BYTES) / MIB
    off = abs(expected - peak) / MIB
    return [
        told(f"{name}: predicted", round(expected / MIB, 1), "MiB"),
        told(f"{name}: measured", round(peak / MIB, 1), "MiB"),
        judged(f"{name}: off by", round(off, 1), f"<= {allowed:.1f}", "MiB"),
    ]


def _peak(path: Path, setup: Setup, read: int) -> int:
    """Bytes resident at most, after a prompt was read in whole chunks and some was decoded."""
    load = Load(
        path=str(path),
        n_ctx=setup.context,
        n_batch=setup.prefill_chunk,
        prefill_chunk=setup.prefill_chunk,
        threads=setup.threads,
        threads_batch=setup.threads,
        streams=setup.streams,
        prefix_tokens=setup.prefix_tokens,
        kv_type=setup.kv_type,
        flash_attention="auto" if setup.flash_attention else "off",
        repack=setup.repack,
    )
    with Direct(load) as worker:
        asked = Measure(key="measure/fit", pp=read, tg=DECODED)
        worker.errand(asked, Measured)
        return footprint(worker.pid).peak


if __name__ == "__main__":
    raise SystemExit(run("fit", measure))
