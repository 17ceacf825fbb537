"""What the retained topics `state` and `info` say, as one struct each."""

from __future__ import annotations

import msgspec


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """One health problem as people see it."""

    code: str
    severity: str
    text: str


class HeatView(msgspec.Struct, frozen=True, kw_only=True):
    """How hot it is and what that costs; the fields are those of `State`."""

    temp_c: float | None = None
    clock_mhz: int | None = None
    fan_rpm: int | None = None
    throttle: str = "none"
    pace_tps: float | None = None
    threads: int | None = None
    time_to_throttle_s: float | None = None
    cooldown_eta_s: float | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Live throughput and load; a rate that is not known is null, never 0.

    Attributes:
        status: loading, ready, busy, paused, backoff, failed or stopping.
        variant: Name of the loaded model file's variant; None until one is loaded.
        tps: tok/s of decode right now; None while nothing decodes.
        possible_tps: The same if edged did not rest to keep the board cool.
        tps_1m: tok/s over the busy decode seconds of the last minute.
        tps_15m: The same over 15 minutes, the sustained rate.
        pp_tps: tok/s of prefill in the last request that had one.
        ttft_ms: Milliseconds from acceptance to first token in the last request.
        temp_c: Degrees Celsius of the processor; None without a sensor.
        clock_mhz: Its clock.
        fan_rpm: Turns a minute of a fan that the firmware drives.
        throttle: What slows us: none, paced (by ourselves), soft or capped (the firmware),
            undervoltage.
        pace_tps: tok/s that each stream is held to; None while the pace is free.
        threads: Of decode, as they were last.
        time_to_throttle_s: Seconds until thermal.hot_c at this load; None: never, or not known.
        cooldown_eta_s: Seconds until the pace is free if the load ended now; None: it is, or not
            known.
        ram_headroom_mib: MiB of memory free beyond the reserve for the house; negative where that
            is touched, None where the system does not say.
        paused: No new requests are accepted, because an owner said so.
        waiting: Requests accepted and not started.
        running: Requests being answered.
        streams: So many are answered side by side, and one urgent; None until an engine was up.
        oldest_wait_s: Seconds the longest waiting request has waited.
        sessions: Conversations that are kept.
        uptime_s: Seconds since the daemon started.
        requests: Count of terminal replies by status since the start.
        prompt_tokens: Tokens read since the start.
        completion_tokens: Tokens written since the start.
        problems: What is wrong now, most severe first.
    """

    status: str
    variant: str | None = None
    tps: float | None = None
    possible_tps: float | None = None
    tps_1m: float | None = None
    tps_15m: float | None = None
    pp_tps: float | None = None
    ttft_ms: float | None = None
    temp_c: float | None = None
    clock_mhz: int | None = None
    fan_rpm: int | None = None
    throttle: str = "none"
    pace_tps: float | None = None
    threads: int | None = None
    time_to_throttle_s: float | None = None
    cooldown_eta_s: float | None = None
    ram_headroom_mib: int | None = None
    paused: bool = False
    waiting: int = 0
    running: int = 0
    streams: int | None = None
    oldest_wait_s: float | None = None
    sessions: int = 0
    uptime_s: float = 0
    requests: dict[str, int] = {}
    prompt_tokens: int = 0
    completion_tokens: int = 0
    problems: tuple[ProblemView, ...] = ()


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """The model file that answers.

    Attributes:
        name: The variant's name.
        file: File name without its directory.
        bytes: Size of the file.
        architecture: `general.architecture` of its header.
        context: Tokens of prompt and answer together.
        context_train: Tokens the model was trained for.
        parameters: Count of weights.
    """

    name: str
    file: str
    bytes: int
    architecture: str
    context: int
    context_train: int
    parameters: int | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may ask for."""

    payload_bytes: int
    max_tokens: int
    capacity: int
    per_client: int
    reply_prefixes: tuple[str, ...]


class Advert(msgspec.Struct, frozen=True, kw_only=True):
    """What a node offers to its fleet; true only while its availability is `online`.

    Attributes:
        variant: What would answer; None without a model.
        tps: tok/s of decode over the last quarter of an hour; None until something was decoded.
        accepting: It is in the group that shares edged/any/request.
        reason: Why it is not: stopping, no_model, loading, paused, hot, full or cooling_off.
    """

    variant: str | None = None
    tps: float | None = None
    accepting: bool = False
    reason: str | None = None


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """Version, model and limits; changes only with them.

    Attributes:
        boot_id: New at each start of the daemon, so that a restart can be seen.
        streams: Answers computed side by side; None until the engine is up.
        engine: llama.cpp's own line about this CPU; None until it is up.
        threads: Threads of decode and of prefill.
        fleet: What it offers to a fleet; None: it is in none.
    """

    node: str
    version: str
    boot_id: str
    model: ModelView | None = None
    limits: Limits
    threads: tuple[int, int] | None = None
    streams: int | None = None
    engine: str | None = None
    fleet: Advert | None = None
