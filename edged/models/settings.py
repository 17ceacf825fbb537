"""In which way a file is best loaded, from what was measured, and which way is yet to be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from edged.models.tuning import fastest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.models.figures import Measurement

Repack = Literal["auto", "on", "off"]


def preferred(known: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Measurements of one file, the best way to load it first.

    The one that decodes fastest; of equals the one that reads fastest; of equals in both the one
    that takes no memory of its own. What a hot board showed is asked last.
    """
    left = sorted(known, key=lambda each: (not each.hot, each.wall), reverse=True)
    cool = [each for each in left if not each.hot] or left
    if not cool:
        return ()
    best = min(fastest(cool, lambda each: (each.tps, each.pp)), key=lambda each: each.repack)
    return (best, *(each for each in left if each is not best))


def untried(repack: Repack, known: Iterable[Measurement]) -> bool | None:
    """Whether weights are to be rearranged in the next trial; None: there is nothing to try.

    The way in which a file is loaded at first is timed first, see `edged.models.steps`.

    Args:
        repack: As configured.
        known: Measurements of the file on this board with this engine.
    """
    if repack != "auto":
        return None
    ways = {each.repack for each in known}
    ways |= {way.repack for each in known for way in each.tries}
    return next((way for way in (True, False) if way not in ways), None) if ways else None
