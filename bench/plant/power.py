"""Where the watts go: the die's cores and leakage, and the rest of the board."""

from __future__ import annotations

from math import exp
from typing import Final

import msgspec

from bench.plant.firmware import FULL_MHZ

# Assumed: the cores' voltage between the two ends of the clock, and leakage of a 16 nm die. Squared
# voltage times clock is the power, so at 1.5 GHz a core does 62 % of the work for 40 % of the heat.
FULL_V, LOW_V = 0.90, 0.72
LOW_MHZ: Final = 1500.0  # cpufreq's lowest; below, the voltage stays
LEAKAGE_W: Final = 0.4  # of the die at 60 C
LEAKAGE_E_C: Final = 50.0  # it grows by e in so many degrees
# Fitted to the published curves (`published`), together with the coolers.
DIE_W: Final = 0.6  # what does not rest when the cores do
BOARD_W: Final = 1.1  # memory, power supply, USB and network chip at rest
CORE_W: Final = 1.13  # of one core at 2.4 GHz under `stress`
# Published watts are of the wall, and a supply keeps some for itself.
SUPPLY: Final = 0.85


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What the cores do.

    Attributes:
        name: Of it.
        core: A core's power in those of `stress`.
        memory: Watts of the memory while four cores are at it.
    """

    name: str
    core: float
    memory: float


STRESS: Final = Work(name="stress -c4", core=1.0, memory=0.0)
DECODE: Final = Work(name="decode", core=1.13, memory=0.8)
PREFILL: Final = Work(name="prefill", core=1.27, memory=0.5)
HEAVY: Final = Work(name="heavy suite", core=1.6, memory=0.8)


def volts(mhz: float) -> float:
    """Of the cores at a clock."""
    share = max(0.0, (mhz - LOW_MHZ) / (FULL_MHZ - LOW_MHZ))
    return LOW_V + share * (FULL_V - LOW_V)


def die(cores: float, mhz: float, celsius: float, work: Work) -> float:
    """Watts of the die with so many cores at work."""
    dynamic = mhz / FULL_MHZ * (volts(mhz) / FULL_V) ** 2
    leakage = LEAKAGE_W * exp((celsius - 60.0) / LEAKAGE_E_C) * volts(mhz) / FULL_V
    return DIE_W + leakage + cores * CORE_W * work.core * dynamic


def board(cores: float, work: Work) -> float:
    """Watts of the rest."""
    return BOARD_W + work.memory * min(1.0, cores / 4.0)
