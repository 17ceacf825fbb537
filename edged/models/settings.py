"""In which way a file is best loaded, from what was measured, and which way is yet to be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeGuard

from edged.models.figures import KINDS
from edged.models.tuning import Setting, fastest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from edged.models.figures import Depth, KvType, Measurement

Repack = Literal["auto", "on", "off"]
# Of another way's speed: f16 changes no numbers, so that ties are its own. A quiet board repeats a
# rate within 1 % (7.99 +- 0.03 was published), but two loads are timed minutes apart, and a machine
# that others share was seen to differ by far more: there chance decides between them.
SURE = 0.95


class Contest(NamedTuple):
    """Decode of one file with f16 and in the fastest of the other ways.

    Attributes:
        depth: Tokens of context before; at an empty one all are alike.
        plain: tok/s with f16.
        other: tok/s in the other way.
        kind: That way.
    """

    depth: int
    plain: float
    other: float
    kind: KvType


def preferred(
    known: Iterable[Measurement], kinds: Collection[KvType] = KINDS
) -> tuple[Measurement, ...]:
    """Measurements of one file, the best way to load it first.

    The one that decodes fastest; of equals the one that reads fastest; of equals in both the one
    that takes no memory of its own. Types of cache are compared at depth. What a hot board showed
    is asked last.

    Args:
        known: On one board with one engine.
        kinds: Types of cache that may be taken; others tell only how fast the file is.
    """
    left = sorted(known, key=lambda each: (not each.hot, each.wall), reverse=True)
    cool = _cool(left)
    usable = [each for each in cool if each.kv_type in kinds] or cool
    if not usable:
        return ()
    best = _best(usable)
    return (best, *(each for each in left if each is not best))


def contest(known: Iterable[Measurement], kinds: Collection[KvType] = KINDS) -> Contest | None:
    """F16 beside the others, each loaded as is best; None until two were timed behind tokens.

    Args:
        known: On one board with one engine.
        kinds: That may be taken.
    """
    cool = _cool(list(known))
    plain = _of(cool, "f16")
    others = (_of(cool, kind) for kind in KINDS if kind in kinds and kind != "f16")
    found = [_between(plain, other) for other in others if plain is not None and other is not None]
    pairs = [pair for pair in found if pair is not None]
    return max(pairs, key=lambda pair: pair.other / pair.plain, default=None)


def _between(plain: Measurement, other: Measurement) -> Contest | None:
    of_plain, of_other = slope(plain.depths), slope(other.depths)
    if of_plain is None or of_other is None:
        return None
    depth = min(each.depths[-1].tokens for each in (plain, other))
    speeds = _at(plain, of_plain, depth), _at(other, of_other, depth)
    return Contest(depth, *speeds, other.kv_type)


def gains(found: Contest | None) -> TypeGuard[Contest]:
    """Whether the other way is so much faster that it is worth it."""
    return found is not None and found.plain < SURE * found.other


def untried(
    repack: Repack,
    known: Sequence[Measurement],
    kind: KvType = "f16",
    kinds: Collection[KvType] = (),
) -> Setting | None:
    """The way to load a file in the next trial; None: there is nothing to try.

    The way in which it is loaded at first is timed first, see `edged.models.steps`; then whether
    weights are rearranged; then, in the better of both, the other type of cache.

    Args:
        repack: As configured; `auto` leaves it open.
        known: See `preferred`.
        kind: How keys and values are kept so far.
        kinds: Those that may be timed.
    """
    ways = {each.repack for each in known}
    ways |= {way.repack for each in known for way in each.tries}
    if not ways:
        return None
    other = next((way for way in (True, False) if way not in ways), None)
    if repack == "auto" and other is not None:
        return Setting(other, kind)
    # At an empty context both types are alike: what was timed there alone is yet to be timed.
    timed = {each.kv_type for each in known if slope(each.depths) is not None}
    left = next((each for each in kinds if each not in timed), None)
    return None if left is None or len(kinds) == 1 else Setting(known[0].repack, left)


def slope(depths: Sequence[Depth]) -> float | None:
    """Seconds that each token of context adds to a decoded token, from the first to the last."""
    known = [depth for depth in depths if depth.tps > 0]
    if len(known) < 2:  # noqa: PLR2004 - a slope is of two points
        return None
    first, last = known[0], known[-1]
    if last.tokens <= first.tokens:
        return None
    return max(0.0, (1 / last.tps - 1 / first.tps) / (last.tokens - first.tokens))


def _cool(known: list[Measurement]) -> list[Measurement]:
    """What a board showed that was not hot, if there is any."""
    return [each for each in known if not each.hot] or known


def _best(usable: Sequence[Measurement]) -> Measurement:
    """The best way; with f16 as long as others cannot be compared with it."""
    found = contest(usable)
    faster = _of(usable, found.kind) if gains(found) else None
    ways = (_of(usable, kind) for kind in KINDS)
    return faster or next(way for way in ways if way is not None)


def _of(usable: Sequence[Measurement], kind: KvType) -> Measurement | None:
    own = [each for each in usable if each.kv_type == kind]
    if not own:
        return None
    return min(fastest(own, lambda each: (each.tps, each.pp)), key=lambda each: each.repack)


def _at(measurement: Measurement, each: float, depth: int) -> float:
    first = measurement.depths[0]
    return 1 / (1 / first.tps + max(0, depth - first.tokens) * each)
