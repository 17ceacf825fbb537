"""What the governor is told and what it says, as frozen values."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

Throttle = Literal["none", "paced", "soft", "capped", "undervoltage"]


class Admit(IntEnum):
    """Who may still come; each refuses more than the one before."""

    ALL = 0
    NO_BACKGROUND = 1
    URGENT = 2
    NONE = 3


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The board at one moment.

    Attributes:
        celsius: Degrees C of the processor; None if no sensor tells.
        reason: Why there is none; empty if there is.
        busy: The share of the last seconds in which the engine computed, 0 to 1, times the
            threads it did it with: cores at work.
        decoding: Streams that decode now.
        possible_tps: tok/s of one stream if it never rested; None if not known yet.
        threads: With which the engine decodes now; 0 if it is not up.
        undervoltage: The supply is weak, by the firmware's word now.
        capped: The firmware caps the clock now, whatever for.
        soft: The firmware's soft temperature limit is active, or it throttles.
    """

    celsius: float | None = None
    reason: str = ""
    busy: float = 0.0
    decoding: int = 0
    possible_tps: float | None = None
    threads: int = 0
    undervoltage: bool = False
    capped: bool = False
    soft: bool = False


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast to compute and whom to let in; the default is as fast as it goes.

    Attributes:
        decode_tps: tok/s of one stream at most, evenly spaced; None is no cap.
        threads: Of decode at most; None is as configured.
        threads_batch: Of prefill at most; None is as configured.
        idle_share: Share of wall time to rest, 0 to 0.95; for what `decode_tps` does not pace
            (prefill) and below the target.
        prefill_chunk: Prompt tokens of one step at most; None is as configured.
        admit: Who may come.
        throttle: In one word, what slows us: our own pace, or the firmware.
        time_to_throttle_s: Seconds until the hot trip point at this load; None: never, or unknown.
        cooldown_eta_s: Seconds until the pace is free again; None: it is, or unknown.
    """

    decode_tps: float | None = None
    threads: int | None = None
    threads_batch: int | None = None
    idle_share: float = 0.0
    prefill_chunk: int | None = None
    admit: Admit = Admit.ALL
    throttle: Throttle = "none"
    time_to_throttle_s: float | None = None
    cooldown_eta_s: float | None = None
