"""Recursive least squares of three unknowns, with forgetting and a bounded covariance."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Vector: TypeAlias = tuple[float, float, float]
Matrix: TypeAlias = tuple[Vector, Vector, Vector]


class Fit(msgspec.Struct, frozen=True):
    """What is known of `y = theta . x`.

    Attributes:
        theta: The unknowns.
        covariance: How well they are known; symmetric.
    """

    theta: Vector
    covariance: Matrix


def unsure(theta: Vector, variance: float) -> Fit:
    """A guess, each of its parts as unsure as the others."""
    zero = 0.0
    return Fit(theta, ((variance, zero, zero), (zero, variance, zero), (zero, zero, variance)))


def learn(fit: Fit, x: Vector, y: float, *, keep: float, most: float) -> Fit:
    """Takes one sample.

    Args:
        fit: What was known.
        x: What was seen.
        y: What came of it.
        keep: Weight of all that was learned before, over 0 to 1.
        most: Forgetting does not make any part less sure than this variance.
    """
    spread = _times(fit.covariance, x)
    scale = keep + _dot(x, spread)
    error = (y - _dot(fit.theta, x)) / scale
    theta = _add(fit.theta, spread, error)
    p, q, r = (
        _add(row, spread, -part / scale) for row, part in zip(fit.covariance, spread, strict=True)
    )
    forget = 1.0 / keep if max(p[0], q[1], r[2]) <= keep * most else 1.0
    return Fit(theta, (_scaled(p, forget), _scaled(q, forget), _scaled(r, forget)))


def _times(matrix: Matrix, x: Vector) -> Vector:
    p, q, r = matrix
    return _dot(p, x), _dot(q, x), _dot(r, x)


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _add(a: Vector, b: Vector, times: float) -> Vector:
    return a[0] + times * b[0], a[1] + times * b[1], a[2] + times * b[2]


def _scaled(a: Vector, by: float) -> Vector:
    return by * a[0], by * a[1], by * a[2]
