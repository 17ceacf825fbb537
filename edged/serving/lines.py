"""Requests of one session run one after the other, in the order in which they were accepted."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.serving.request import Request, SessionId


class Lines:
    """A line of keys for each session; requests without one stand in none.

    Attributes:
        behind: How many are not the first of their lines.
    """

    def __init__(self) -> None:
        self.behind = 0
        self._lines: dict[SessionId, OrderedDict[str, None]] = {}

    def join(self, request: Request) -> None:
        """Stand at the end; who stands there already keeps its place."""
        if request.session is None:
            return
        line = self._lines.setdefault(request.session, OrderedDict())
        self.behind += bool(line) and request.key not in line
        line.setdefault(request.key)

    def leave(self, request: Request) -> None:
        """It has its reply, or never stood there."""
        if request.session is None or request.session not in self._lines:
            return
        line = self._lines[request.session]
        if request.key in line:
            del line[request.key]
            self.behind -= bool(line)
        if not line:
            del self._lines[request.session]

    def first(self, request: Request) -> bool:
        """Whether no earlier one of its session is without a reply; it must stand in line."""
        return request.session is None or next(iter(self._lines[request.session])) == request.key
