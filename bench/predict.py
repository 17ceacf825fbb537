"""How well speeds are predicted from headers: predict first, then measure through the child."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Final

import msgspec

from bench import synthetic
from bench.direct import Direct
from bench.others import wait_settled
from bench.report import Figure, Options, Result, judged, run, told
from edged.clock import SystemClock
from edged.daemon.calibrate import calibrate, last_level_cache, plan_for, threads_for
from edged.engine.build import build_id
from edged.engine.frames import Load, Measure, Measured
from edged.models import trials
from edged.models.device import Roots, probe
from edged.models.fit import Setup
from edged.models.local import check_file
from edged.models.predict import parts, predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edged.models.calibration import Calibration
    from edged.models.facts import DeviceFacts
    from edged.models.figures import Prediction

File = tuple[str, str]  # shape and mix
# Mixes whose files calibration never sees: it knows one type at a time.
FILES: Final[tuple[File, ...]] = (
    ("narrow-a3b", "2.70"),
    ("narrow-a3b", "3.25"),
    ("narrow-a3b", "3.48"),
    ("dense-1.7b", "2.70"),
    ("dense-1.7b", "3.25"),
)
TRUE_FILES: Final[tuple[File, ...]] = (("30b-a3b", "2.70"), ("30b-a3b", "3.25"))
# As often, as long and some seconds apart as what calibrates is timed, and of both the quickest
# counts: a virtual machine loses a quarter of its speed for tenths of a second and for seconds.
# Files that have room beside each other take turns, so that this is no difference between them.
TURNS: Final = 2 * trials.ROUNDS
READ: Final = 512
KEY: Final = "measure/predict"
# A machine drifts by more than the goals within minutes: each round calibrates and measures anew.
ROUNDS: Final = 5
TRUE_ROUNDS: Final = 2  # of minutes each
APART: Final = 0.05  # variants whose speeds differ by more must be told apart
MEAN_GOAL: Final = "<= 8"
WORST_GOAL: Final = "<= 15"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A file's speed as one calibration predicted it, and as measured behind it.

    Attributes:
        predicted: By the calibration of this round.
        tg: tok/s of decode, of the quickest repetition.
        middle: The same of the middle one.
        pp: tok/s of prefill; None but in the first round, for it takes longest and is not judged.
    """

    predicted: Prediction
    tg: float
    middle: float
    pp: float | None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A file's rounds: interleaved pairs of a prediction and a measurement.

    Attributes:
        name: Shape and mix.
        family: Shape.
        rounds: One or more.
    """

    name: str
    family: str
    rounds: tuple[Round, ...]

    @property
    def errors(self) -> list[float]:
        """Of decode in each round: predicted over measured, less one, in percent."""
        return [100 * (each.predicted.tps / each.tg - 1) for each in self.rounds]

    @property
    def error(self) -> float:
        """Of the middle round."""
        return median(self.errors)


def measure(options: Options) -> Result:
    """How well speeds are predicted from headers, against what the child then measures."""
    files = FILES + (TRUE_FILES if options.full else ())
    paths = {(shape, mix): synthetic.cached(shape, mix) for shape, mix in files}
    facts = probe(Roots())
    calibrations = []
    rounds: dict[File, list[Round]] = {key: [] for key in files}
    for number in range(ROUNDS):
        wait_settled()  # whoever came before may have given back as much as all memory
        calibrations.append(_calibrated(facts))
        now = files if number < TRUE_ROUNDS else FILES
        predicted = _predicted(now, paths, facts, calibrations[-1])
        alone = ((key,) for key in now if key in TRUE_FILES)
        for group in (FILES, *alone):
            some = {key: predicted[key] for key in group}
            for key, found in _measured(paths, some, reads=number == 0).items():
                rounds[key].append(found)
    seen = [Seen(name=" ".join(key), family=key[0], rounds=tuple(rounds[key])) for key in files]
    return judge(seen, calibrations)


def _predicted(
    files: Sequence[File],
    paths: Mapping[File, Path],
    facts: DeviceFacts,
    calibration: Calibration,
) -> dict[File, Prediction]:
    """Of all files before the first one is measured."""
    setup = Setup(features=facts.cpu_features, threads=threads_for(facts.cores)[-1])
    return {key: predict(check_file(paths[key]), calibration, setup) for key in files}


def judge(seen: Sequence[Seen], calibrations: Sequence[Calibration]) -> Result:
    """The errors against the goals."""
    errors = [abs(each.error) for each in seen]
    figures = [
        judged("mean error of decode", mean(errors), MEAN_GOAL, "%"),
        judged("worst error of decode", max(errors), WORST_GOAL, "%"),
        judged("pairs in the wrong order", len(list(_swapped(seen))), "== 0"),
        judged("calibrating", max(each.seconds for each in calibrations), "<= 60", "s"),
    ]
    for number in range(len(calibrations)):
        alone = [abs(each.errors[number]) for each in seen if number < len(each.rounds)]
        figures.append(told(f"mean error in round {number + 1} alone", mean(alone), "%"))
    figures += [each for one in seen for each in _of_file(one)]
    conditions: dict[str, str | float] = {
        "rounds of calibrating, predicting and measuring": len(calibrations),
        "context": "empty",
        "repetitions": TURNS * trials.TIMES,
        "read": READ,
        "repacked": "where it can be, as the daemon loads",
        "last-level cache MiB": last_level_cache(Path("/sys")) >> 20,
        "scatter while calibrating %": round(100 * max(each.spread for each in calibrations), 1),
        "scatter of what was measured %": round(100 * max(map(_scatter, seen)), 1),
    }
    return Result(figures=tuple(figures), conditions=conditions)


def _of_file(seen: Seen) -> Iterator[Figure]:
    predicted = [each.predicted for each in seen.rounds]
    yield told(f"{seen.name}: tg predicted", median(each.tps for each in predicted), "tok/s")
    yield told(f"{seen.name}: tg measured", median(each.tg for each in seen.rounds), "tok/s")
    yield told(f"{seen.name}: error", seen.error, "%")
    middle = median(each.middle for each in seen.rounds)
    yield told(f"{seen.name}: tg of the middle repetition", middle, "tok/s")
    yield told(f"{seen.name}: pp predicted", predicted[0].pp, "tok/s")
    yield told(f"{seen.name}: pp measured", seen.rounds[0].pp, "tok/s")


def _swapped(seen: Sequence[Seen]) -> Iterator[tuple[str, str]]:
    """Pairs of one shape that the predictions have the other way round, in the middle round."""
    for one, other in combinations(seen, 2):
        pairs = list(zip(one.rounds, other.rounds, strict=False))  # the fewer rounds of the two
        was = median(first.tg / second.tg for first, second in pairs)
        told_to_be = median(first.predicted.tps / second.predicted.tps for first, second in pairs)
        wrong = (was - 1) * (told_to_be - 1) < 0
        if one.family == other.family and max(was, 1 / was) > 1 + APART and wrong:
            yield one.name, other.name


def _scatter(seen: Seen) -> float:
    rates = [each.tg for each in seen.rounds]
    return (max(rates) - min(rates)) / (2 * median(rates))


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


def _load(path: Path, predicted: Prediction) -> Load:
    """With the threads that were predicted to be best."""
    return Load(
        path=str(path),
        threads=predicted.threads,
        threads_batch=predicted.threads_batch,
        n_batch=READ,
        prefill_chunk=READ,
        streams=1,
        prefix_tokens=0,
        repack=predicted.repack,
    )


def _measured(
    paths: Mapping[File, Path], predicted: Mapping[File, Prediction], *, reads: bool
) -> dict[File, Round]:
    """A round of each: all of them are loaded, and one at a time is timed."""
    frames = {key: _repetitions(paths[key]) for key in predicted}
    with ExitStack() as stack:
        workers = {
            key: stack.enter_context(Direct(_load(paths[key], each)))
            for key, each in predicted.items()
        }
        wait_settled()  # who was measured before had as much as all memory
        rates: dict[File, list[float]] = {key: [] for key in predicted}
        for _ in range(TURNS):
            for key, worker in workers.items():
                times = worker.errand(frames[key], Measured).tg_ms
                rates[key] += [frames[key].tg / ms * 1e3 for ms in times]
        read = {key: _read(worker) if reads else None for key, worker in workers.items()}
    return {
        key: Round(
            predicted=predicted[key], tg=max(rates[key]), middle=median(rates[key]), pp=read[key]
        )
        for key in predicted
    }


def _repetitions(path: Path) -> Measure:
    """As many tokens as calibrating takes of a model of that size."""
    passed = sum(part.nbytes for part in parts(check_file(path), Setup(features=(), threads=1)))
    return Measure(key=KEY, tg=trials.in_repetition(passed), repeat=trials.TIMES)


def _read(worker: Direct) -> float:
    return READ / min(worker.errand(Measure(key=KEY, pp=READ), Measured).pp_ms) * 1e3


if __name__ == "__main__":
    raise SystemExit(run("predict", measure))
