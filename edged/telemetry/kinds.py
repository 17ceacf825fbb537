"""The kinds of journal records, each with the id under which systemd/edged.catalog explains it.

An id is for ever: machines and people search the journal for it. A new kind gets a new one
(`systemd-id128 new`) and a catalogue entry; a test compares the two.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Priority(IntEnum):
    """Syslog's numbers, those in use."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


class Kind(msgspec.Struct, frozen=True):
    """One kind of record.

    Attributes:
        message_id: 128 bits in hex.
        priority: Syslog's.
        text: How the line begins.
        every_s: Seconds in which the same cause is written once; 0 writes each.
    """

    message_id: str
    priority: Priority
    text: str
    every_s: float = 0.0


# one line a minute for what a client or broker can repeat at will
_OFTEN = 60.0

STARTED = Kind("6d5cfed6814d424bb5bd360c8f619bbf", Priority.NOTICE, "started")
STOPPING = Kind("5a2aa963099b4ff6a43175f0868349eb", Priority.NOTICE, "stopping")
STOPPED = Kind("c2e3ea304bf64c739dda4cee31cc7224", Priority.NOTICE, "stopped")
CONFIG_RELOADED = Kind("78c33b43bf1a4b4ebcd089b188574d79", Priority.NOTICE, "config reloaded")
CONFIG_REJECTED = Kind("0e4bc304436449f48463144dfb418adc", Priority.ERROR, "config rejected")
CONFIG_OUTDATED = Kind("053271d1ed6e4beca27ce64fca4a10bf", Priority.NOTICE, "config outdated")
REQUEST_FINISHED = Kind("94001f8abc7a4f9ebfb8aca558abd7d9", Priority.INFO, "request finished")
REQUEST_REJECTED = Kind(
    "44587c4fc889413fb02a651d3a43e549", Priority.WARNING, "request rejected", _OFTEN
)
REQUEST_FAILED = Kind("5c5a1736d2194601abe713ffd3aa1d1d", Priority.WARNING, "request failed")
RETAINED_IGNORED = Kind(
    "0952807562fe4c13bf6f4a8fc6978059", Priority.WARNING, "retained request ignored", _OFTEN
)
FIELD_IGNORED = Kind("cbd5a3039994478ba1a2d42979aa7cf2", Priority.WARNING, "field ignored", _OFTEN)
ENGINE_READY = Kind("18978d966eff423bad9842806d7beeca", Priority.NOTICE, "engine ready")
ENGINE_DIED = Kind("5f6e7124dbf346039e15eba0a1b9308e", Priority.ERROR, "engine died")
ENGINE_FATAL = Kind("b5f5c460777141c88c0c93af038b6f90", Priority.ERROR, "engine given up")
ENGINE_STDERR = Kind("946bf95647674eb9b5ee9ef02f40f42f", Priority.DEBUG, "engine says")
MODEL_BAD = Kind("a0584655ef5140ff8b17f18ccbd38503", Priority.ERROR, "model unusable", _OFTEN)
MODEL_CHOSEN = Kind("f22e592c7ccc4da2929988e0c4000e6b", Priority.NOTICE, "model chosen")
MODEL_FETCHING = Kind("e22bc6fa0cb54199ab60f40f6f126bf9", Priority.INFO, "model download")
MODEL_FETCHED = Kind("1422d96190414e90b55bcb39d6cd89ed", Priority.NOTICE, "model fetched")
MODEL_FETCH_FAILED = Kind(
    "86eafec9b0f5499ab0afb4c2979ad94f", Priority.WARNING, "model not fetched", _OFTEN
)
BROKER_BACK = Kind("aabed9beae43426f968366436ddf7ab8", Priority.NOTICE, "broker connected")
BROKER_LOST = Kind("89c65debc8084b2ea017eef3254c7a83", Priority.WARNING, "broker lost", 600.0)
BROKER_REFUSED = Kind("524a596b9130496ebf8dc14559d3d9b2", Priority.ERROR, "broker refuses", 600.0)
LEDGER_LOST = Kind("04378df81c91460aa49379426935119a", Priority.ERROR, "ledger lost", 600.0)
LEDGER_BACK = Kind("d47af7c3495d4683802c028942e795cc", Priority.NOTICE, "ledger written again")
LEDGER_RESET = Kind("d7ecfe107d274b6aaa144651f4a303c6", Priority.WARNING, "ledger started anew")
PREFIX_READY = Kind("e099c27bb2314becbea6120d9ce07a4d", Priority.INFO, "persona ready")
PREFIX_GIVEN_UP = Kind("284ffa6adbf74356a8c725f70b81734a", Priority.WARNING, "persona given up")
PREFIX_REMOVED = Kind("6074d46428184c9a987fbc8b485bca84", Priority.NOTICE, "saved prefix removed")
PREFIXES_NOT_SAVED = Kind(
    "ac1513265abd4b2eb45554ad7bcc8f6b", Priority.WARNING, "prefixes not saved", 600.0
)
PREFIX_DETAIL = Kind("186477a52e4a4bf7a65d924f1b2b38a8", Priority.DEBUG, "prefix")
PANEL_ABSENT = Kind("d67a0ae176724f818ef3ae17c8d96232", Priority.NOTICE, "panel not in use")
PACED = Kind("278daf86c1d343bba2822f87ab753a67", Priority.NOTICE, "paced")
COOL = Kind("d549dcffe3524233b2c719155e00462b", Priority.NOTICE, "cool again")
FIRMWARE_THROTTLES = Kind(
    "7d31fd663460432493af903316238fd4", Priority.WARNING, "firmware throttles", _OFTEN
)
UNDERVOLTAGE = Kind("4a23bb308ddc4f5782d1611b3f301e05", Priority.WARNING, "under-voltage", _OFTEN)
BUTTON_PRESSED = Kind("c892e3108916454e80fb6665c09f9f29", Priority.NOTICE, "button pressed")
NOTED = Kind("b1369bda8bd64040a4b116184287a14a", Priority.INFO, "noted", _OFTEN)
THROUGHPUT = Kind("aa14123083394600bd9124841a97a8eb", Priority.INFO, "throughput")
PROBLEM_RAISED = Kind("fb28192790fc4370b5f07e312913e2bd", Priority.WARNING, "problem")
PROBLEM_CLEARED = Kind("0138782faeda47e3af2bc99744a326cd", Priority.NOTICE, "problem gone")
INTERNAL_ERROR = Kind(
    "6e1c7cd6dd564d76a7517c00d4c481d1", Priority.ERROR, "mistake in edged", _OFTEN
)

KINDS: dict[str, Kind] = {name: kind for name, kind in globals().items() if isinstance(kind, Kind)}


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """All that a record can carry; a prompt or an answer has no place here, on purpose.

    Attributes:
        request_id: As the client gave it, or ours.
        client: Who asked.
        status: ok, rejected, cancelled, expired or failed.
        finish_reason: stop, length, deadline or cancelled.
        code: The short name of an error or problem.
        reason: Why, in words; of all fields the only free text.
        variant: The model in use.
        tps: Tokens per second of the decode.
        tps_1m: The same, sustained over a minute.
        tps_15m: The same, sustained over 15 minutes.
        pp_tps: Tokens per second of the prefill.
        ttft_ms: Milliseconds to the first token.
        queue_ms: Milliseconds waited.
        total_ms: Milliseconds from arrival to reply.
        load_ms: Milliseconds the model took to load.
        backend: Which of llama.cpp's libraries for kinds of processors computes.
        prompt_tokens: Those of the prompt.
        cached_tokens: Those of them that were not read again.
        completion_tokens: Those of the answer.
        temp_c: Degrees Celsius of the processor.
        clock_mhz: Of the processor.
        throttle: What slows us: none, paced, soft, capped or undervoltage.
        pace_tps: Tokens per second that one stream is held to.
        threads: Of decode.
        cooldown_eta_s: Seconds until the pace is free again, if the load ended now.
        waiting: Requests in the backlog.
        persona: Its name, as configured.
        tokens: Those of a persona or prefix.
        source: Where they came from: disk or read.
        read_ms: Milliseconds that took.
        signal: What killed the engine, such as SIGSEGV.
        exit_code: With what it ended.
        retry_s: Seconds until the next attempt.
        broker: Host and port.
        topic: The topic of a message.
        path: A file.
        version: Of edged.
    """

    request_id: str | None = None
    client: str | None = None
    status: str | None = None
    finish_reason: str | None = None
    code: str | None = None
    reason: str | None = None
    variant: str | None = None
    tps: float | None = None
    tps_1m: float | None = None
    tps_15m: float | None = None
    pp_tps: float | None = None
    ttft_ms: float | None = None
    queue_ms: float | None = None
    total_ms: float | None = None
    load_ms: float | None = None
    backend: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    temp_c: float | None = None
    clock_mhz: int | None = None
    throttle: str | None = None
    pace_tps: float | None = None
    threads: int | None = None
    cooldown_eta_s: float | None = None
    waiting: int | None = None
    persona: str | None = None
    tokens: int | None = None
    source: str | None = None
    read_ms: float | None = None
    signal: str | None = None
    exit_code: int | None = None
    retry_s: float | None = None
    broker: str | None = None
    topic: str | None = None
    path: str | None = None
    version: str | None = None
