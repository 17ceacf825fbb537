"""What a download says of itself while it runs and when it ends."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from edged.models.fetching import Code  # noqa: TC001 - msgspec asks for it when it decodes

INTERVAL_S = 1.0  # between two events; a person or a broker needs no more
MILESTONE_S = 600.0  # between two journal lines, if no further tenth was reached before
WINDOW_S = 10.0  # over which the rate is smoothed
TENTHS = 10

State = Literal["waiting", "downloading", "verifying"]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a download is; encoded by msgspec it is the payload of `progress/download`.

    Attributes:
        variant: Its id.
        state: `waiting` for the next attempt or for the end of the quiet hours.
        done: Bytes on the disk; it never falls, even if a part had to be thrown away.
        total: Bytes of the file; None before a server told.
        rate: Bytes per second over the last seconds.
        eta_s: Seconds until it is whole, if a rate is known.
        milestone: Worth a line in the journal.
    """

    variant: str
    state: State
    done: int
    total: int | None = None
    rate: float | None = None
    eta_s: float | None = None
    milestone: bool = False


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """The sha256 that the file must have from now on was not in the catalogue.

    Attributes:
        variant: Its id.
        sha256: In hex.
        source: The host that told it; None: the first copy is believed.
    """

    variant: str
    sha256: str
    source: str | None


class Evicted(msgspec.Struct, frozen=True, kw_only=True):
    """A file was removed for room, as the owner allowed.

    Attributes:
        file: Its name.
        bytes: Its size.
    """

    file: str
    bytes: int


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The file is whole, verified and in its place; nothing more comes for this download.

    Attributes:
        variant: Its id.
        path: Where it is.
        sha256: In hex.
        bytes: Its size.
        resumed: Bytes that were there already.
    """

    variant: str
    path: str
    sha256: str
    bytes: int
    resumed: int = 0


class FetchFailed(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt has failed.

    Attributes:
        variant: Its id.
        code: Why, in a word.
        reason: Why, in a sentence.
        retry_in: Seconds until the next attempt; None: it is given up and nothing more comes.
    """

    variant: str
    code: Code
    reason: str
    retry_in: float | None


Event: TypeAlias = Progress | Pinned | Evicted | Fetched | FetchFailed

_NAMES: dict[type, str] = {
    Progress: "progress",
    Pinned: "pinned",
    Evicted: "evicted",
    Fetched: "fetched",
    FetchFailed: "failed",
}


class Track:
    """Makes `Progress` out of bytes and times, and not too many.

    Args:
        variant: Its id.
    """

    def __init__(self, variant: str) -> None:
        self._variant = variant
        self._shown = 0
        self._total: int | None = None
        self._last: float | None = None
        self._tenth = -1
        self._milestone_at = 0.0
        self._base: tuple[float, int] | None = None
        self._rate: float | None = None

    def begin(self, done: int, total: int, now: float) -> Progress:
        """An attempt starts with `done` bytes on the disk."""
        self._total = total
        self._base, self._rate = (now, done), None
        return self._tell("downloading", done, now)

    def on(self, done: int, now: float) -> Progress | None:
        """`done` bytes are on the disk; None if the last word is too young."""
        self._measure(done, now)
        self._shown = max(self._shown, done)
        if self._last is not None and now - self._last < INTERVAL_S:
            return None
        return self._tell("downloading", done, now)

    def state(self, state: State, now: float) -> Progress:
        """Something else than bytes has happened."""
        self._base, self._rate = None, None
        return self._tell(state, 0, now)

    def _measure(self, done: int, now: float) -> None:
        if self._base is None:
            self._base = (now, done)
            return
        since, before = self._base
        if now - since >= INTERVAL_S:
            self._rate = max(0.0, (done - before) / (now - since))
        if now - since >= WINDOW_S:
            self._base = (now, done)

    def _tell(self, state: State, done: int, now: float) -> Progress:
        self._shown = max(self._shown, done)
        self._last = now
        left = None if self._total is None else self._total - self._shown
        eta = left / self._rate if left is not None and self._rate else None
        return Progress(
            variant=self._variant,
            state=state,
            done=self._shown,
            total=self._total,
            rate=None if self._rate is None else round(self._rate),
            eta_s=None if eta is None else round(eta),
            milestone=self._is_milestone(now),
        )

    def _is_milestone(self, now: float) -> bool:
        tenth = self._shown * TENTHS // self._total if self._total else -1
        due = now - self._milestone_at >= MILESTONE_S and self._total is not None
        if tenth <= self._tenth and not due:
            return False
        self._tenth, self._milestone_at = max(tenth, self._tenth), now
        return True


def as_json(event: Event) -> bytes:
    """An event as one JSON object, with the kind of it as `event`."""
    return msgspec.json.encode({"event": _NAMES[type(event)], **msgspec.structs.asdict(event)})
