"""From scores of choices to a decision."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of a probability; more would be noise of the quantised weights.
_DIGITS = 6


class Decision(msgspec.Struct, frozen=True):
    """What is chosen.

    Attributes:
        choice: The likeliest; None if it is less likely than was asked for.
        probabilities: Of each choice, as one of them it is for sure; they add up to 1.
    """

    choice: str | None
    probabilities: dict[str, float]


def decide(choices: Sequence[str], scores: Sequence[float], none_of: float | None) -> Decision:
    """Choose by the scores.

    Args:
        choices: At least one.
        scores: Of each, the logarithm of the probability that it is the answer.
        none_of: The probability below which none is chosen; None: one is always chosen.
    """
    most = max(scores)
    # The likeliest has the weight 1, so the sum is never 0, however unlikely all of them are.
    weights = [exp(score - most) for score in scores]
    whole = sum(weights)
    probabilities = [weight / whole for weight in weights]
    # Of equals the one named first.
    best = max(range(len(choices)), key=probabilities.__getitem__)
    chosen = none_of is None or probabilities[best] >= none_of
    told = (round(probability, _DIGITS) for probability in probabilities)
    return Decision(choices[best] if chosen else None, dict(zip(choices, told, strict=True)))
