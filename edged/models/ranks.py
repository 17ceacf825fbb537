"""Which of two files of a family is the better one.

Quality that nobody measured is inferred: of two files of a family, more bits per weight keep more.
So each file has a rank: its quality, or what lies between those of its nearest neighbours that are
known, or that of the last known one beyond them; then its bits per weight. What is known is so
never overruled, and what is not falls into its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.models.variants import Family, Variant

BITS = 8


def rank(variant: Variant, family: Family) -> tuple[float, float]:
    """Quality in percent, known or inferred, and bits per weight: higher is better.

    Args:
        variant: The file.
        family: With its other files; only those of the same kind were measured alike.
    """
    bits = bits_per_weight(variant, family)
    if variant.quality is not None:
        return variant.quality.percent, bits
    points = sorted(
        (bits_per_weight(each, family), each.quality.percent)
        for each in family.variants
        if each.quality is not None and each.kind == variant.kind
    )
    below = [point for point in points if point[0] <= bits]
    above = [point for point in points if point[0] > bits]
    if not below or not above:
        edge = (below[-1:] or above[:1] or [(0.0, 0.0)])[0]
        return edge[1], bits
    (low, worse), (high, better) = below[-1], above[0]
    return worse + (better - worse) * (bits - low) / (high - low), bits


def bits_per_weight(variant: Variant, family: Family) -> float:
    """As the catalogue says, or from size and parameters; 0 if nobody knows."""
    if variant.bpw is not None:
        return variant.bpw
    return (variant.bytes or 0) * BITS / family.parameters if family.parameters else 0.0
