from __future__ import annotations

import msgspec
import pytest

from bench.predict import Seen, judge
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


def seen(name: str, predicted: float, *measured: float, family: str = "moe") -> Seen:
    told = Prediction(
        tps=predicted, low=1, high=99, pp=10, threads=1, threads_batch=1, repack=False
    )
    return Seen(name=name, family=family, predicted=told, tg=measured, pp=(10.0,))


def verdicts(*files: Seen, calibration: Calibration = CALIBRATION) -> dict[str, float | None]:
    return {each.name: each.value for each in judge(files, calibration).figures}


def test_errors_are_of_the_middle_round_and_without_sign() -> None:
    found = verdicts(seen("a", 11.0, 10.0, 12.5, 3.0), seen("b", 4.0, 5.0))
    assert found["mean error of decode"] == pytest.approx(15.0)
    assert found["worst error of decode"] == pytest.approx(20.0)
    assert found["a: error"] == pytest.approx(10.0)
    assert found["b: error"] == pytest.approx(-20.0)
    assert found["mean error, of the quickest rounds"] == pytest.approx(16.0)
    assert found["worst error, of the quickest rounds"] == pytest.approx(20.0)


def test_the_order_counts_within_a_shape_and_beyond_five_percent() -> None:
    wrong = "pairs in the wrong order"
    fast, slow = seen("a", 9.0, 12.0), seen("b", 10.0, 10.0)
    assert verdicts(fast, slow)[wrong] == 1
    assert verdicts(fast, msgspec.structs.replace(slow, family="dense"))[wrong] == 0
    assert verdicts(seen("a", 9.0, 10.4), slow)[wrong] == 0
    assert verdicts(seen("a", 11.0, 12.0), slow)[wrong] == 0


def test_each_goal_can_be_missed() -> None:
    late = msgspec.structs.replace(CALIBRATION, seconds=61.0)
    good = judge([seen("a", 10.0, 10.0)], CALIBRATION)
    assert good.ok
    assert not judge([seen("a", 10.0, 10.0)], late).ok
    assert not judge([seen("a", 10.9, 10.0)], CALIBRATION).ok
    assert not judge([seen("a", 12.0, 10.0), seen("b", 9.0, 9.0)], CALIBRATION).ok
