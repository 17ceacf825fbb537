"""Notices another edged of our name: it is told to both, and not fought over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.daemon.notes import Notes
    from edged.mqtt.packet import Incoming

RECHECK_S = 600.0  # so long a twin is believed in before it is asked for again
PATIENCE_S = 60.0  # for its answer, and between two answers of ours


class _Info(msgspec.Struct, frozen=True):
    boot_id: str = ""


class Twin:
    """Hears what is published as our `info`, our own included.

    Args:
        boot_id: What ours says.
        tell: Publishes ours again, so that the other one knows, too.
        notes: Where the problem is raised.
    """

    def __init__(self, boot_id: str, tell: Callable[[], None], notes: Notes) -> None:
        self._boot_id = boot_id
        self._tell = tell
        self._notes = notes
        self._heard_ourselves = False
        self._past = ""
        self._seen_at: float | None = None
        self._told_at = float("-inf")
        self._asked = False

    @property
    def here(self) -> bool:
        """Whether there is one, as far as we know."""
        return self._seen_at is not None

    def heard(self, message: Incoming, now: float) -> None:
        """An `info` of our name; what is retained until we hear ours is an earlier life's.

        A broker that lost its newest messages may retain that one again.
        """
        boot_id = _boot_id(message.payload)
        if boot_id == self._boot_id:
            self._heard_ourselves = True
        elif message.retain and not self._heard_ourselves:
            self._past = boot_id
        elif boot_id and not (message.retain and boot_id == self._past):
            self._found("it says so on the topic info", now)
            if now - self._told_at >= PATIENCE_S:
                self._told_at = now
                self._tell()

    def taken_over(self, now: float) -> None:
        """The broker gave our session to another client of our id."""
        self._found("the broker gave it our session", now)

    def due(self, now: float) -> None:
        """Ask for a twin that was not heard for long; one that does not answer is gone."""
        if self._seen_at is None:
            return
        if now - self._seen_at >= RECHECK_S + PATIENCE_S:
            self._seen_at = None
            self._notes.twin_gone()
        elif now - self._seen_at >= RECHECK_S and not self._asked:
            self._asked, self._told_at = True, now
            self._tell()

    def _found(self, detail: str, now: float) -> None:
        self._seen_at, self._asked = now, False
        self._notes.twin(detail, now)


def _boot_id(payload: bytes) -> str:
    """Of an `info`; empty if it is none."""
    try:
        return msgspec.json.decode(payload, type=_Info).boot_id
    except msgspec.DecodeError:
        return ""
