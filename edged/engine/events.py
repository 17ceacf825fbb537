"""What the engine tells the daemon, besides the child's own frames."""

from __future__ import annotations

from typing import Literal

import msgspec

from edged.engine.frames import (
    Delta,
    Done,
    Effort,
    Failed,
    Learned,
    Load,
    Loading,
    Measured,
    Prefill,
    Ready,
    Saved,
)

During = Literal["load", "idle", "prefill", "decode"]


class EngineUp(msgspec.Struct, frozen=True, kw_only=True):
    """The child is ready for a Generate."""

    ready: Ready
    load: Load


class LostRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that the child took along.

    Attributes:
        key: As in its Generate.
        during: How far it was.
        tokens_done: Its tokens that had arrived.
    """

    key: str
    during: Literal["prefill", "decode"]
    tokens_done: int


class EngineDied(msgspec.Struct, frozen=True, kw_only=True):
    """The child is gone and reaped, or could not be started.

    Attributes:
        signal: What ended it ("SIGSEGV"), ours included; None if it exited by itself.
        code: Its exit status, or None if a signal ended it or it never ran.
        reason: The signal's name, "exit N", "stalled", "load_timeout", "bad_frame", "spawn",
            or the code of its LoadFailed.
        message: One line for a person: what it did wrong, or its last words on stderr.
        during: How far the furthest of its runs was; idle also with errands only.
        runs: Those it took along, the oldest first. Errands are just forgotten.
        retry_in: Seconds until it is started again; None when it will not be (FATAL).
    """

    signal: str | None
    code: int | None
    reason: str
    message: str
    during: During
    runs: tuple[LostRun, ...]
    retry_in: float | None


EngineEvent = (
    EngineUp
    | EngineDied
    | Loading
    | Prefill
    | Delta
    | Done
    | Failed
    | Learned
    | Saved
    | Measured
    | Effort
)
