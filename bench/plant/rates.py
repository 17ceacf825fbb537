"""How fast it decodes and reads: partly by the memory, partly by the clock."""

from __future__ import annotations

from typing import Final

import msgspec

from bench.plant.firmware import FULL_MHZ

CORES: Final = 4
# Where the memory's limit and the cores' meet, neither is reached in full. With the fourth power
# both published curves of threads below are met within 3 %.
SHARP: Final = 4.0


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model file on this board, at the full clock.

    Attributes:
        name: And where the figures are from.
        decode: tok/s with one to four threads.
        prefill: tok/s with four.
    """

    name: str
    decode: tuple[float, float, float, float]
    prefill: float

    @property
    def threads(self) -> int:
        """Those with which it decodes fastest; `edged bench` finds the same."""
        return max(range(1, CORES + 1), key=lambda count: self.decode[count - 1])

    def decode_tps(self, threads: int, mhz: float) -> float:
        """tok/s of one stream that never rests."""
        clocked = self.decode[0] * threads
        remote = max(0.0, self.decode[threads - 1] ** -SHARP - clocked**-SHARP)
        return float(((clocked * mhz / FULL_MHZ) ** -SHARP + remote) ** (-1 / SHARP))

    def prefill_tps(self, threads: int, mhz: float) -> float:
        """Prompt tokens a second: the cores' business alone."""
        return self.prefill * threads / CORES * mhz / FULL_MHZ


def like(name: str, curve: tuple[float, float, float, float], four: float, prefill: float) -> Model:
    """A model of which only the rate with four threads is known, by another's curve of threads."""
    one, two, three, last = (four * rate / curve[-1] for rate in curve)
    return Model(name=name, decode=(one, two, three, last), prefill=prefill)


# ik_llama.cpp on a Pi 5 by threads: one file that the fourth thread slows and one that gains by it.
# Mainline llama.cpp was seen to do as the first: 6.81 tok/s with three threads, 6.21 with four.
SATURATED: Final = (2.1, 4.1, 5.2, 5.0)
SCALING: Final = (1.9, 3.8, 5.2, 6.0)
# Qwen3-30B-A3B at 2.70 bits per weight on a Pi 5 16 GB: 8.03 tok/s; llama.cpp reads it at 10.9.
MODEL_30B: Final = like("30B-A3B", SATURATED, 8.03, 10.9)
MODEL_30B_SCALING: Final = like("30B-A3B, if four threads were best", SCALING, 8.03, 10.9)
