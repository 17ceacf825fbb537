"""What the daemon says about itself, put together from the rooms' snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import edged
from edged.serving.message import MAX_PAYLOAD_BYTES
from edged.telemetry.state import Info, Limits, ProblemView, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.health import Problem
    from edged.serving.dispatcher import Standing
    from edged.settings import Config
    from edged.telemetry.meter import Snapshot
    from edged.telemetry.state import HeatView, ModelView

MAX_PROBLEMS = 8  # more than one board can have at once; the state stays small


def status_word(standing: Standing, *, loading: bool) -> str:
    """The one word for how things stand, the most telling first."""
    if standing.draining:
        return "stopping"
    if standing.fatal is not None:
        return "failed"
    if not standing.ready:
        return "loading" if loading else "backoff"
    if standing.running:
        return "busy"
    return "paused" if standing.paused else "ready"


def state(  # noqa: PLR0913 - one argument for each room that has a say
    *,
    standing: Standing,
    rates: Snapshot,
    problems: Sequence[Problem],
    variant: str | None,
    streams: int | None,
    heat: HeatView,
    ram_headroom_mib: int | None,
    loading: bool,
    uptime_s: float,
) -> State:
    """The retained state."""
    return State(
        status=status_word(standing, loading=loading),
        variant=variant,
        tps=_rounded(rates.tps),
        possible_tps=_rounded(rates.possible_tps),
        tps_1m=_rounded(rates.tps_1m),
        tps_15m=_rounded(rates.tps_15m),
        pp_tps=_rounded(rates.pp_tps),
        ttft_ms=_rounded(rates.ttft_ms),
        temp_c=_rounded(heat.temp_c),
        clock_mhz=heat.clock_mhz,
        fan_rpm=heat.fan_rpm,
        throttle=heat.throttle,
        pace_tps=_rounded(heat.pace_tps),
        threads=heat.threads,
        time_to_throttle_s=heat.time_to_throttle_s,
        cooldown_eta_s=heat.cooldown_eta_s,
        ram_headroom_mib=ram_headroom_mib,
        paused=standing.paused,
        waiting=standing.waiting,
        running=standing.running,
        streams=streams,
        oldest_wait_s=_rounded(standing.oldest_wait_s) if standing.waiting else None,
        sessions=standing.sessions,
        uptime_s=round(uptime_s),
        requests={name: count for name, count in rates.requests.items() if count},
        prompt_tokens=rates.prompt_tokens,
        completion_tokens=rates.completion_tokens,
        problems=tuple(
            ProblemView(code=item.code, severity=item.severity.name.lower(), text=item.text)
            for item in problems[:MAX_PROBLEMS]
        ),
    )


def info(config: Config, model: ModelView | None, boot_id: str) -> Info:
    """The retained info before the engine is up."""
    return Info(
        node=config.node,
        version=edged.__version__,
        boot_id=boot_id,
        model=model,
        limits=limits(config),
    )


def limits(config: Config) -> Limits:
    """What a request may ask for."""
    serving = config.serving
    return Limits(
        payload_bytes=MAX_PAYLOAD_BYTES,
        max_tokens=serving.max_tokens_limit,
        capacity=serving.capacity,
        per_client=serving.client_share,
        reply_prefixes=config.mqtt.reply_prefixes,
    )


def status_line(view: State) -> str:
    """The line that `systemctl status` shows."""
    parts = [view.status]
    if view.variant is not None:
        parts.append(view.variant)
    rate = view.tps if view.tps is not None else view.tps_1m
    if rate is not None:
        parts.append(f"{rate:.1f} tok/s")
    if view.temp_c is not None:
        parts.append(f"{view.temp_c:.0f} C")
    if view.throttle != "none":
        parts.append(view.throttle)
    parts.append(f"{view.running} running, {view.waiting} waiting")
    parts += [problem.text for problem in view.problems[:1]]
    return ", ".join(parts)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
