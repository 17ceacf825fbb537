"""What physics allows: the most that a board can decode for ever below a temperature."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, TypeAlias

from bench.plant import power
from bench.plant.firmware import FULL_MHZ
from bench.plant.power import DECODE, PREFILL, Work
from bench.plant.rates import CORES

if TYPE_CHECKING:
    from bench.plant.coolers import Cooler
    from bench.plant.rates import Model
    from bench.plant.server import Requests

# Share of the time, cores, and what they do.
Loads: TypeAlias = tuple[tuple[float, int, Work], ...]
SHARES: Final = 200  # steps of the time at work that are tried


def most_tps(
    cooler: Cooler, ambient: float, model: Model, requests: Requests, limit: float
) -> float:
    """Tokens a second that can be decoded for ever without passing `limit` degrees C.

    With any threads and any rests, at the full clock, since edged does not touch it.
    """
    counts = range(1, CORES + 1)
    best = 0.0
    for batch, threads in product(counts, counts):
        reading = requests.prompt / model.prefill_tps(batch, FULL_MHZ)
        answering = requests.answer / model.decode_tps(threads, FULL_MHZ)
        cycle = reading + answering
        loads = ((reading / cycle, batch, PREFILL), (answering / cycle, threads, DECODE))
        share = _share(cooler, ambient, loads, limit)
        best = max(best, share * requests.answer / cycle)
    return best


def _share(cooler: Cooler, ambient: float, loads: Loads, limit: float) -> float:
    """Of the time, that it may be at work: the largest that ends below the limit."""
    below = 0.0
    for share in (step / SHARES for step in range(1, SHARES + 1)):
        if _end(cooler, ambient, loads, share, limit) > limit:
            break
        below = share
    return below


def _end(cooler: Cooler, ambient: float, loads: Loads, share: float, limit: float) -> float:
    """Where a die that leaks as at the limit comes to rest, with the fan as fast as it goes."""
    hot = sum(part * power.die(share * n, FULL_MHZ, limit, work) for part, n, work in loads)
    rest = sum(part * power.board(share * n, work) for part, n, work in loads)
    return ambient + cooler.to_air(len(cooler.blown)) * (hot + rest) + cooler.inner * hot
