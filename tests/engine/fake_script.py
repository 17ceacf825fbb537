"""What a fake engine is told to do, as a JSON file."""

from __future__ import annotations

from typing import Literal

import msgspec


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """Something to go wrong.

    Attributes:
        at: The phase; `idle` is right after Ready.
        do: What goes wrong; `value` is the signal's name, the exit code, or the lines of stderr.
        token: In prefill and learn the chunk and in decode the token before which it happens.
        times: In so many lives (counted in SCRIPT.lives); 0 means in every one.
        match: Only for a prompt that contains this.
    """

    at: Literal["load", "idle", "prefill", "decode", "learn", "measure"]
    do: Literal[
        "signal",
        "exit",
        "hang",
        "garbage",
        "huge",
        "half",
        "unknown_key",
        "unknown_errand",
        "second_ready",
        "bad_field",
        "stderr",
        "close",
        "fail",
    ]
    value: str | int = 0
    token: int = 0
    times: int = 0
    match: str = ""


class Script(msgspec.Struct, forbid_unknown_fields=True):
    """Milliseconds are slept, not computed.

    Attributes:
        load_failed: Code and message of a LoadFailed instead of Ready.
        prefill_ms: Of a prompt of which nothing is learnt.
        ms_per_token: Of one run; those side by side wait for each other.
        tokens: 0 means as many as the answer has words.
        answer: Instead of the words of the last message.
        echo: Answer with the words of all messages.
        streams: 0 means as many as Load asks for, one if it leaves that open.
        measure_ms: Of one repetition of a measurement.
        speeds: Tok/s of decode that it tells, with 1, 2 .. threads.
        learn_ms: Of a prefix of which nothing is known.
    """

    load_ms: float = 0.0
    load_failed: tuple[str, str] | None = None
    n_ctx: int = 2048
    prefill_ms: float = 0.0
    prefill_chunks: int = 1
    ms_per_token: float = 0.0
    tokens: int = 0
    answer: str | None = None
    echo: bool = False
    ignore_cancel: bool = False
    streams: int = 0
    learn_ms: float = 0.0
    measure_ms: float = 0.0
    speeds: tuple[float, ...] = (100.0,)
    faults: tuple[Fault, ...] = ()
