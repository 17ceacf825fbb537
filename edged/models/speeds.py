"""How fast a variant decodes here: measured, predicted, published, or derived from others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from edged.models.settings import slope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edged.models.facts import DeviceFacts
    from edged.models.figures import Measurement, Prediction
    from edged.models.variants import Family, Published, Variant

# A published 7.99 +- 0.03 meets 8, and a rate read twice differs by as much.
TOLERANCE = 0.02
# Of a derived speed: bits per weight and one published speed of the family give the others of
# this family, by the 9 GB/s that a Pi 5 reads, within a few percent; another engine adds some.
DERIVED_BAND = 0.10
# Speed of llama.cpp over that of others on the same board and file: ik_llama.cpp 7.99 * 2.70 /
# (8.8 * 2.66), 6.44 / 7.30, 2.79 / 3.07 and 2.70 / 3.10; Ollama is 10 to 20 % behind.
ENGINES = {"llama.cpp": 1.0, "ik_llama.cpp": 0.89, "ollama": 1.0}
MAX_DEPTH = 1 << 27  # tokens; the longest contexts that any model claims have 10 million
SIZES_GB = (1, 2, 4, 8, 16, 32, 64, 128)
_PI = re.compile(r"Raspberry Pi (?:Compute Module )?(\d)(?:00)?\b")

Source: TypeAlias = Literal["measured", "predicted", "published", "derived"]


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """A rate of decode, and who says so.

    Attributes:
        tps: tok/s, at an empty context unless `context` says otherwise.
        low: The least it may be.
        high: The most.
        source: Where it comes from.
        said: By whom or from what, in words.
        context: Tokens of context at which it was measured.
        slope: Seconds that each token of context adds to a decoded token, if known.
        hot: It was measured on a board too hot for it to be trusted.
    """

    tps: float
    low: float
    high: float
    source: Source
    said: str
    context: int = 0
    slope: float | None = None
    hot: bool = False

    def meets(self, target: float) -> bool:
        """Whether it is the target, within measurement error.

        The middle of a band decides: its error is as likely in our favour as not, and measuring
        settles it.
        """
        return self.tps >= target * (1 - TOLERANCE)

    def at(self, depth: int) -> float | None:
        """tok/s behind so many tokens of context, if the slope is known."""
        if self.slope is None:
            return None
        return 1 / (1 / self.tps + max(0, depth - self.context) * self.slope)

    def depth_of(self, rate: float) -> int | None:
        """Tokens of context at which it falls under a rate; None if it never does or is unknown."""
        if not self.slope or rate <= 0:
            return None
        more = (1 / rate - 1 / self.tps) / self.slope
        if more > MAX_DEPTH:
            return None
        return self.context + int(more) if more >= 0 else 0


def board_kind(facts: DeviceFacts) -> str | None:
    """How catalogues call a board, such as `pi5-16gb`; None for what is no Raspberry Pi.

    The 500 and the Compute Module 5 are a Pi 5 by processor, memory and clock.
    """
    found = _PI.match(facts.board or "")
    if found is None:
        return None
    size = next((size for size in SIZES_GB if facts.ram_bytes <= size << 30), SIZES_GB[-1])
    return f"pi{found[1]}-{size}gb"


def measured(measurements: Iterable[Measurement]) -> Speed | None:
    """What is known from measuring here.

    Args:
        measurements: Of the file, the best way to load it first, see `edged.models.settings`.
    """
    best = next(iter(measurements), None)
    if best is None:
        return None
    return Speed(
        tps=best.tps,
        low=best.tps - best.error,
        high=best.tps + best.error,
        source="measured",
        said="here, on a hot board" if best.hot else "here",
        slope=slope(best.depths),
        hot=best.hot,
    )


def predicted(prediction: Prediction | None) -> Speed | None:
    """What calibration says of a file that was never loaded."""
    if prediction is None:
        return None
    return Speed(
        tps=prediction.tps,
        low=prediction.low,
        high=prediction.high,
        source="predicted",
        said="from this board's calibration",
        slope=prediction.slope or None,
    )


def scaled(variant: Variant, siblings: Iterable[tuple[Variant, Speed]]) -> Speed | None:
    """What the speed of another file of the family, measured here, says of this one.

    Weights are read once for a token, so it goes by bits per weight. It is worth more than what
    was published: a board that is slower than others is so for every file.

    Args:
        variant: One that was not measured here.
        siblings: Files of its family with their measured speeds.
    """
    near = [
        (abs(_bits(other) - _bits(variant)), speed.tps, other, speed)
        for other, speed in siblings
        if other.kind == variant.kind and other.bpw and variant.bpw and not speed.hot
    ]
    if not near:
        return None
    _, _, other, speed = min(near, key=lambda each: each[:2])
    tps = speed.tps * _bits(other) / _bits(variant)
    said = f"from {speed.tps:.2f} of {_shown(other, variant)}, measured here"
    return _derived(tps, said, speed.slope)


def published(variant: Variant, family: Family, kind: str | None) -> Speed | None:
    """What others measured of this file on such a board, or of what is nearest to it.

    Nearest is, in this order: our engine, this file, a board with as much memory, as many bits per
    weight. Weights are read once for a token, so the speed of another file of the family is scaled
    by bits per weight.

    Args:
        variant: With its published speeds.
        family: With those of its other variants.
        kind: See `board_kind`.
    """
    if kind is None:
        return None
    found = list(_relevant(variant, family, kind))
    if not found:
        return None
    nearest = min(found, key=lambda each: each[0])
    _, other, said = nearest
    slope = said.slope if said.slope is not None else _family_slope(family, kind)
    own = other.id == variant.id and said.board == kind and _engine(said) == "llama.cpp"
    if own:
        error = said.error or 0.0
        return Speed(
            tps=said.tps,
            low=said.tps - error,
            high=said.tps + error,
            source="published",
            said=f"{said.source}, {said.engine} on {said.board}",
            context=said.context or 0,
            slope=slope,
        )
    tps = said.tps * ENGINES[_engine(said)] * _bits(other) / _bits(variant)
    told = f"from {said.tps:g} of {_shown(other, variant)}, {said.engine} on {said.board}"
    return _derived(tps, told, slope, said.context or 0)


def best(speeds: Sequence[Speed], target: float) -> Speed | None:
    """The speed to go by: measured before predicted, what follows from that before published.

    A hot measurement that meets the target is believed, for a cool board is faster. One that does
    not is asked last.

    Args:
        speeds: At most one of each source, in that order.
        target: tok/s.
    """
    cool = [speed for speed in speeds if not speed.hot or speed.meets(target)]
    return next(iter(cool or speeds), None)


def _derived(tps: float, said: str, slope: float | None, context: int = 0) -> Speed:
    return Speed(
        tps=round(tps, 2),
        low=round(tps * (1 - DERIVED_BAND), 2),
        high=round(tps * (1 + DERIVED_BAND), 2),
        source="derived",
        said=said,
        context=context,
        slope=slope,
    )


def _relevant(
    variant: Variant, family: Family, kind: str
) -> Iterator[tuple[tuple[bool, bool, bool, float], Variant, Published]]:
    model = kind.partition("-")[0]
    for other in (variant, *(each for each in family.variants if each.id != variant.id)):
        same = other.id == variant.id
        comparable = other.kind == variant.kind and other.bpw and variant.bpw
        for said in other.published:
            near = said.board.partition("-")[0] == model and _engine(said) in ENGINES
            if near and (same or comparable):
                apart = 0.0 if same else abs(_bits(other) - _bits(variant))
                far = (_engine(said) != "llama.cpp", not same, said.board != kind, apart)
                yield far, other, said


def _bits(variant: Variant) -> float:
    return variant.bpw or 1.0  # only the same file has none, and then they cancel


def _engine(said: Published) -> str:
    return said.engine.partition("-b")[0]


def _family_slope(family: Family, kind: str) -> float | None:
    """Attention does not depend on how weights are stored, so any file of the family will do."""
    model = kind.partition("-")[0]
    slopes = (
        said.slope
        for variant in family.variants
        for said in variant.published
        if said.board.partition("-")[0] == model and said.slope is not None
    )
    return next(slopes, None)


def _shown(other: Variant, variant: Variant) -> str:
    return "this file" if other.id == variant.id else f"{_bits(other):.2f} bits per weight"
