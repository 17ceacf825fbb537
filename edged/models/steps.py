"""What is to be done next so that the best variant serves: decides, and does nothing."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand with the models, by the ids of variants.

    Attributes:
        serving: What answers, or is being loaded.
        local: The best of those on this disk; None: none of them fits.
        best: The best of all, had or not; None: none fits.
        measured: What serves was measured on this board, with this build, loaded as it is.
        untried: It is yet to be tried whether it is faster when it is loaded in another way.
        unlike: It is loaded in another way than the one that was found to be best.
        calibrated: This board was calibrated with this build.
        fetching: What is being downloaded.
        may_fetch: Downloads are allowed, and `best` can be had from somewhere.
        unread: There are files whose headers may be read now and might change the choice.
    """

    serving: str
    local: str | None
    best: str | None
    measured: bool
    calibrated: bool
    untried: bool = False
    unlike: bool = False
    fetching: str | None = None
    may_fetch: bool = False
    unread: bool = False


class Swap(msgspec.Struct, frozen=True):
    """Load this one between two requests."""

    variant: str


class Fetch(msgspec.Struct, frozen=True):
    """Download this one."""

    variant: str


class StopFetching(msgspec.Struct, frozen=True):
    """What is being downloaded is not wanted any more."""


class MeasureServing(msgspec.Struct, frozen=True):
    """Time what serves while nobody asks."""


class Try(msgspec.Struct, frozen=True):
    """Load what serves in another way while nobody asks, to time it."""


class Calibrate(msgspec.Struct, frozen=True):
    """Time made-up models while nobody asks."""


class ReadHeaders(msgspec.Struct, frozen=True):
    """Ask hubs for the headers of a few files while nobody asks us."""


class Rest(msgspec.Struct, frozen=True):
    """All is as it should be, as far as it can be."""


Step: TypeAlias = (
    Swap | Fetch | StopFetching | MeasureServing | Try | Calibrate | ReadHeaders | Rest
)


def next_step(now: Situation) -> Step:
    """The one step that is worth most now.

    What is on the disk serves first; it is timed before the board is calibrated, because that
    proves a choice while calibrating only predicts one; headers are what predictions are made
    from; and only a choice among predictions is worth a download of gigabytes.
    """
    step = _step_here(now)
    if step is not None:
        return step
    if not now.calibrated:
        return Calibrate()
    if now.unread and now.fetching is None:
        return ReadHeaders()
    wanted = now.best if now.best not in {now.local, None} and now.may_fetch else None
    if wanted is not None:
        return Rest() if wanted == now.fetching else Fetch(wanted)
    return Rest() if now.fetching is None else StopFetching()


def _step_here(now: Situation) -> Step | None:
    """What is to be done with what is on this disk; None: it serves as well as it can."""
    if now.local is not None and now.local != now.serving:
        return Swap(now.local)
    if not now.measured:
        return MeasureServing()
    if now.untried:
        return Try()
    return Swap(now.serving) if now.unlike else None
