"""How well speeds are predicted from headers: predict first, then measure through the child."""

from __future__ import annotations

import asyncio
import os
import tempfile
from itertools import combinations
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Final

import msgspec

from bench import synthetic
from bench.direct import Direct
from bench.others import wait_settled
from bench.report import Options, Result, judged, run, told
from edged.clock import SystemClock
from edged.daemon.calibrate import calibrate, last_level_cache, plan_for, threads_for
from edged.engine.build import build_id
from edged.engine.frames import Load, Measure, Measured
from edged.models.device import Roots, probe
from edged.models.fit import Setup
from edged.models.local import check_file
from edged.models.predict import predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edged.models.calibration import Calibration
    from edged.models.facts import DeviceFacts
    from edged.models.figures import Prediction

# Mixes whose files calibration never sees: it knows one type at a time.
FILES: Final = (
    ("narrow-a3b", "2.70"),
    ("narrow-a3b", "3.25"),
    ("narrow-a3b", "3.48"),
    ("dense-1.7b", "2.70"),
    ("dense-1.7b", "3.25"),
)
TRUE_FILES: Final = (("30b-a3b", "2.70"), ("30b-a3b", "3.25"))
DECODED: Final = 48
READ: Final = 512
KEY: Final = "measure/predict"
ROUNDS: Final = 4
TRUE_ROUNDS: Final = 2  # of minutes each
APART: Final = 0.05  # variants whose speeds differ by more must be told apart
MEAN_GOAL: Final = "<= 8"
WORST_GOAL: Final = "<= 15"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A file's speed as predicted and as measured.

    Attributes:
        name: Shape and mix.
        family: Shape.
        predicted: Of it.
        tg: tok/s of each round.
        pp: tok/s of each round.
    """

    name: str
    family: str
    predicted: Prediction
    tg: tuple[float, ...]
    pp: tuple[float, ...]

    @property
    def measured(self) -> float:
        """tok/s of decode in the middle round, each of which is the quicker of two repetitions.

        What calibrates is timed twice as well, and the quicker one counts. The quickest of all
        rounds is luckier than that where a machine's speed scatters.
        """
        return median(self.tg)

    @property
    def error(self) -> float:
        """Of decode: predicted over measured, less one, in percent."""
        return self._beyond(self.measured)

    @property
    def quickest_error(self) -> float:
        """The same, of the quickest of all rounds."""
        return self._beyond(max(self.tg))

    def _beyond(self, tps: float) -> float:
        return 100 * (self.predicted.tps / tps - 1)


def measure(options: Options) -> Result:
    """How well speeds are predicted from headers, against what the child then measures."""
    files = FILES + (TRUE_FILES if options.full else ())
    paths = {(shape, mix): synthetic.cached(shape, mix) for shape, mix in files}
    facts = probe(Roots())
    wait_settled()  # whoever came before may have given back as much as all memory
    calibration = _calibrated(facts)
    setup = Setup(features=facts.cpu_features, threads=threads_for(facts.cores)[-1])
    predicted = {key: predict(check_file(path), calibration, setup) for key, path in paths.items()}
    speeds: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in files}
    for number in range(ROUNDS):
        for key in files:
            if key in FILES or number < TRUE_ROUNDS:
                speeds[key].append(_speeds(paths[key], predicted[key]))
    seen = [
        Seen(
            name=" ".join(key),
            family=key[0],
            predicted=predicted[key],
            tg=tuple(tg for tg, _ in speeds[key]),
            pp=tuple(pp for _, pp in speeds[key]),
        )
        for key in files
    ]
    return judge(seen, calibration)


def judge(seen: Sequence[Seen], calibration: Calibration) -> Result:
    """The errors against the goals."""
    errors = [abs(each.error) for each in seen]
    luckier = [abs(each.quickest_error) for each in seen]
    figures = [
        judged("mean error of decode", mean(errors), MEAN_GOAL, "%"),
        judged("worst error of decode", max(errors), WORST_GOAL, "%"),
        judged("pairs in the wrong order", len(list(_swapped(seen))), "== 0"),
        judged("calibrating", calibration.seconds, "<= 60", "s"),
        told("mean error, of the quickest rounds", mean(luckier), "%"),
        told("worst error, of the quickest rounds", max(luckier), "%"),
    ]
    for each in seen:
        figures += [
            told(f"{each.name}: tg predicted", each.predicted.tps, "tok/s"),
            told(f"{each.name}: tg measured", each.measured, "tok/s"),
            told(f"{each.name}: error", each.error, "%"),
            told(f"{each.name}: pp predicted", each.predicted.pp, "tok/s"),
            told(f"{each.name}: pp measured", max(each.pp), "tok/s"),
        ]
    conditions: dict[str, str | float] = {
        "context": "empty",
        "decoded": DECODED,
        "read": READ,
        "repacked": "where it can be, as the daemon loads",
        "last-level cache MiB": last_level_cache(Path("/sys")) >> 20,
        "scatter while calibrating %": round(100 * calibration.spread, 1),
        "scatter while measuring %": round(100 * max(map(_scatter, seen)), 1),
    }
    return Result(figures=tuple(figures), conditions=conditions)


def _swapped(seen: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Pairs of one shape that the prediction has the other way round."""
    for first, second in combinations(seen, 2):
        slow, fast = sorted((first, second), key=lambda each: each.measured)
        ratio = fast.measured / slow.measured - 1
        wrong = fast.predicted.tps < slow.predicted.tps
        if first.family == second.family and ratio > APART and wrong:
            yield first.name, second.name


def _scatter(seen: Seen) -> float:
    return (max(seen.tg) - min(seen.tg)) / (2 * median(seen.tg))


def _calibrated(facts: DeviceFacts) -> Calibration:
    board = facts.fingerprint(build_id(os.environ) or "unknown")
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as folder:
        return asyncio.run(
            calibrate(
                facts,
                board,
                Path(folder),
                SystemClock(),
                planned=plan_for(facts, Path("/sys")),
                tell=lambda *_: None,
            )
        )


def _speeds(path: Path, predicted: Prediction) -> tuple[float, float]:
    """Tok/s of decode and prefill, with the threads that were predicted to be best."""
    load = Load(
        path=str(path),
        threads=predicted.threads,
        threads_batch=predicted.threads_batch,
        n_batch=READ,
        prefill_chunk=READ,
        streams=1,
        prefix_tokens=0,
        repack=predicted.repack,
    )
    with Direct(load) as worker:
        wait_settled()  # who was measured before had as much as all memory
        decoded = worker.errand(Measure(key=KEY, tg=DECODED, repeat=2), Measured)
        read = worker.errand(Measure(key=KEY, pp=READ), Measured)
    return DECODED / min(decoded.tg_ms) * 1e3, READ / min(read.pp_ms) * 1e3


if __name__ == "__main__":
    raise SystemExit(run("predict", measure))
