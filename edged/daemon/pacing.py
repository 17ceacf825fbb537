"""What a governor is told of engine and sensors, and what its pace means to the other rooms."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from edged.engine import frames
from edged.serving.request import Priority
from edged.telemetry.state import HeatView
from edged.thermal.governor import Rules
from edged.thermal.pace import Pace, Sample
from edged.thermal.readings import Clock, Fan, Volts
from edged.thermal.trips import Trips

if TYPE_CHECKING:
    from edged.settings import ThermalConfig
    from edged.thermal.pace import Admit
    from edged.thermal.readings import Senses

LEAST_TPS, MOST_TPS = 0.1, 1e4  # what a frame may say
# The possible rate is measured anew each second; a cap that differs by less is the same.
SAME = 0.02
# Weight of the newest second in the possible rate: others who want the cores come and go.
NEWEST = 0.3
# In the order in which they are refused.
REFUSED = (Priority.BACKGROUND, Priority.NORMAL, Priority.URGENT)
REFUSALS = (
    "all are accepted",
    "background requests are refused",
    "only urgent requests are accepted",
    "no request is accepted",
)
SILENT = "the sensors do not answer"


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine told of late.

    Attributes:
        cores: At work, on average over the last second or so.
        decoding: Streams that decode.
        threads: Of decode; None until it told.
        possible_tps: tok/s of one stream without any rest, told last; None until then.
        at: Monotonic seconds at which it told; None until then.
    """

    cores: float = 0.0
    decoding: int = 0
    threads: int | None = None
    possible_tps: float | None = None
    at: float | None = None


def told(before: Doing, effort: frames.Effort, now: float) -> Doing:
    """The engine told again; without a decode in its last second its rate stays as it was."""
    possible = before.possible_tps
    if effort.decode_ms:
        newest = effort.decodes / effort.decode_ms * 1e3
        known = newest if possible is None or before.threads != effort.threads else possible
        possible = known + NEWEST * (newest - known)
    return Doing(
        cores=effort.core_ms / effort.wall_ms if effort.wall_ms else 0.0,
        decoding=effort.decoding,
        threads=effort.threads,
        possible_tps=possible,
        at=now,
    )


def rules(settings: ThermalConfig, load: frames.Load, target_tps: float) -> Rules:
    """What the governor keeps to, with this model loaded."""
    return Rules(
        target_tps=target_tps,
        threads=load.threads,
        threads_batch=load.threads_batch,
        prefill_chunk=load.prefill_chunk,
        trips=Trips(
            passive_c=settings.passive_c,
            hot_c=settings.hot_c,
            critical_c=settings.critical_c,
            hysteresis_c=settings.hysteresis_c,
        ),
    )


def sample(senses: Senses | None, doing: Doing) -> Sample:
    """The board at one moment; without `senses` no sensor tells."""
    working = Sample(
        busy=doing.cores,
        decoding=doing.decoding,
        possible_tps=doing.possible_tps,
        threads=doing.threads or 0,
    )
    if senses is None:
        return replace(working, reason=SILENT)
    return replace(
        working,
        celsius=senses.celsius,
        reason=senses.reason,
        undervoltage=senses.undervoltage,
        capped=senses.capped,
        soft=senses.soft,
    )


def frame(pace: Pace, load: frames.Load) -> frames.Pace:
    """The pace as the engine is told it; never more than the model was loaded with."""
    rate = pace.decode_tps
    return frames.Pace(
        threads=min(load.threads, pace.threads or load.threads),
        threads_batch=min(load.threads_batch, pace.threads_batch or load.threads_batch),
        idle_share=pace.idle_share,
        prefill_chunk=min(load.prefill_chunk, pace.prefill_chunk or load.prefill_chunk),
        decode_tps=None if rate is None else min(MOST_TPS, max(LEAST_TPS, rate)),
    )


def differ(one: frames.Pace, other: frames.Pace) -> bool:
    """Whether it is worth telling."""
    rates = one.decode_tps, other.decode_tps
    if None not in rates and isclose(rates[0] or 0.0, rates[1] or 0.0, rel_tol=SAME):
        other = replace(other, decode_tps=rates[0])
    return one != other


def refused(admit: Admit) -> tuple[Priority, ...]:
    """Priorities that may not come."""
    return REFUSED[:admit]


def left_to_firmware(pace: Pace) -> Pace:
    """The pace where an owner wants none: only what the firmware does is told."""
    word = "none" if pace.throttle == "paced" else pace.throttle
    return Pace(throttle=word, time_to_throttle_s=pace.time_to_throttle_s)


def paced_tps(sent: frames.Pace | None, doing: Doing) -> float | None:
    """tok/s that one stream is held to; None if it is not, or nobody knows."""
    if sent is None:
        return None
    if sent.decode_tps is not None or not sent.idle_share or doing.possible_tps is None:
        return sent.decode_tps
    return doing.possible_tps * (1.0 - sent.idle_share)


def view(senses: Senses | None, pace: Pace, held_tps: float | None, doing: Doing) -> HeatView:
    """What the state tells; what no sensor tells is None."""
    clock, fan = (None, None) if senses is None else (senses.clock, senses.fan)
    return HeatView(
        temp_c=None if senses is None else senses.celsius,
        clock_mhz=round(clock.khz / 1000) if isinstance(clock, Clock) else None,
        fan_rpm=fan.rpm if isinstance(fan, Fan) else None,
        throttle=pace.throttle,
        pace_tps=held_tps,
        threads=doing.threads,
        time_to_throttle_s=pace.time_to_throttle_s,
        cooldown_eta_s=pace.cooldown_eta_s,
    )


def too_hot(senses: Senses, admit: Admit, settings: ThermalConfig) -> str | None:
    """Who is refused for the heat; None if nobody is, or for want of a sensor."""
    warm_c = settings.hot_c - settings.hysteresis_c
    if not admit or senses.celsius is None or senses.celsius < warm_c:
        return None
    return f"{senses.celsius:.0f} C, {REFUSALS[admit]}"


def firmware(senses: Senses) -> dict[str, str | None]:
    """What the firmware says is wrong, by the codes of the problems; None: nothing."""
    clock, volts = senses.clock, senses.volts
    supply = f"{volts.volts:.2f} V of 5" if isinstance(volts, Volts) else "under 4.63 V of 5"
    slow = f"{clock.khz / 1000:.0f} MHz" if isinstance(clock, Clock) else "how far is not known"
    return {
        "undervoltage": supply if senses.undervoltage else None,
        "firmware_throttles": slow if senses.soft or senses.capped else None,
    }
