"""What a session must have heard, for tests that play whole histories."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.serving.request import Request, SessionId


class Talk:
    """Remembers everything, bounds nothing."""

    def __init__(self) -> None:
        self._told: defaultdict[SessionId, list[str]] = defaultdict(list)
        self._running: dict[str, Request] = {}
        self._void: set[str] = set()

    def began(self, submitted: Request) -> None:
        """A run begins: what stands before its prompt is the newest of what was told."""
        session = submitted.session
        if session is None:
            return
        assert session not in [run.session for run in self._running.values()], "one at a time"
        seen = users(submitted)[:-1]
        told = self._told[session]
        assert seen == told[len(told) - len(seen) :]
        self._running[submitted.key] = submitted
        self._void.discard(submitted.key)

    def ended(self, key: str, *, kept: bool) -> None:
        """A run is over, one way or the other."""
        run = self._running.pop(key, None)
        if run is not None and run.session is not None and kept and key not in self._void:
            self._told[run.session] = users(run)

    def forgotten(self, id_: str | None) -> None:
        """By its name, or all of them."""
        for session in [each for each in self._told if id_ in {None, each.id}]:
            del self._told[session]
        self._void |= {
            k for k, r in self._running.items() if r.session and id_ in {None, r.session.id}
        }


def users(request: Request) -> list[str]:
    """What the user said, turn by turn."""
    return [message.content for message in request.messages if message.role == "user"]
