from __future__ import annotations

import msgspec
import pytest

from bench.predict import Round, Seen, judge
from edged.models.calibration import Base, Calibration, Cost
from edged.models.figures import Prediction

ZERO = Cost(0.0, 0.0)
CALIBRATION = Calibration(
    board="b",
    rates=(),
    bases=(
        Base(threads=1, token=ZERO, block=ZERO, number=ZERO, head=ZERO, experts=ZERO, routed=ZERO),
    ),
    seconds=50.0,
)
WRONG = "pairs in the wrong order"


def told(tps: float) -> Prediction:
    return Prediction(tps=tps, low=1, high=99, pp=10, threads=1, threads_batch=1, repack=False)


def seen(name: str, *rounds: tuple[float, float], family: str = "moe") -> Seen:
    """Rounds of what was predicted and what was measured, in tok/s."""
    made = (
        Round(predicted=told(predicted), tg=tg, middle=tg / 2, pp=10.0) for predicted, tg in rounds
    )
    return Seen(name=name, family=family, rounds=tuple(made))


def verdicts(*files: Seen, rounds: int = 1) -> dict[str, float | None]:
    return {each.name: each.value for each in judge(files, [CALIBRATION] * rounds).figures}


def test_errors_are_of_the_middle_round_and_without_sign() -> None:
    a = seen("a", (11.0, 10.0), (12.5, 12.5), (9.0, 3.0))
    found = verdicts(a, seen("b", (4.0, 5.0), (6.0, 7.5), (4.0, 4.0)), rounds=3)
    assert found["mean error of decode"] == pytest.approx(15.0)
    assert found["worst error of decode"] == pytest.approx(20.0)
    assert found["a: error"] == pytest.approx(10.0)
    assert found["b: error"] == pytest.approx(-20.0)


def test_what_each_calibration_alone_was_off_is_told() -> None:
    long, short = seen("a", (11.0, 10.0), (13.0, 10.0)), seen("b", (7.0, 10.0))
    found = verdicts(long, short, rounds=2)
    assert found["mean error in round 1 alone"] == pytest.approx(20.0)
    assert found["mean error in round 2 alone"] == pytest.approx(30.0)


def test_a_machine_that_drifts_makes_no_error() -> None:
    drifting = seen("a", (10.0, 10.0), (20.0, 20.0), (15.0, 15.0))
    found = verdicts(drifting, rounds=3)
    assert found["worst error of decode"] == 0
    assert found["a: tg measured"] == pytest.approx(15.0)
    assert found["a: tg of the middle repetition"] == pytest.approx(7.5)


def test_the_order_counts_within_a_shape_and_beyond_five_percent() -> None:
    fast, slow = seen("a", (9.0, 12.0)), seen("b", (10.0, 10.0))
    assert verdicts(fast, slow)[WRONG] == 1
    assert verdicts(slow, fast)[WRONG] == 1
    assert verdicts(fast, msgspec.structs.replace(slow, family="dense"))[WRONG] == 0
    assert verdicts(seen("a", (9.0, 10.4)), slow)[WRONG] == 0
    assert verdicts(seen("a", (11.0, 12.0)), slow)[WRONG] == 0
    assert verdicts(seen("a", (10.0, 12.0)), slow)[WRONG] == 0


def test_the_order_is_of_pairs_of_one_round() -> None:
    """Which drifted in between tells nothing of the two files."""
    fast = seen("a", (24.0, 24.0), (12.0, 12.0), (6.0, 6.0))
    slow = seen("b", (20.0, 20.0), (10.0, 10.0))
    assert verdicts(fast, slow, rounds=3)[WRONG] == 0
    swapped = seen("b", (25.0, 20.0), (13.0, 10.0))
    assert verdicts(fast, swapped, rounds=3)[WRONG] == 1


def test_each_goal_can_be_missed() -> None:
    late = msgspec.structs.replace(CALIBRATION, seconds=61.0)
    assert judge([seen("a", (10.0, 10.0))], [CALIBRATION]).ok
    assert not judge([seen("a", (10.0, 10.0), (9.0, 9.0))], [CALIBRATION, late]).ok
    assert not judge([seen("a", (10.9, 10.0))], [CALIBRATION]).ok
    assert not judge([seen("a", (12.0, 10.0)), seen("b", (9.0, 9.0))], [CALIBRATION]).ok
