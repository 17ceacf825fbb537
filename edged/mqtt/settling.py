"""Holds back what a fresh connection asks until the broker has sent what it retains.

A broker delivers what was asked while we were away before it even sees our subscriptions. Answered
at once, it would be told how the house was when we left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.mqtt.packet import Incoming


class Settling:
    """One connection's way to knowing the house.

    Args:
        most: Messages held at most; with 0 there is nothing to wait for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: list[Incoming] = []
        self.over = most == 0

    def sift(self, message: Incoming, *, fact: bool) -> list[Incoming]:
        """What may be passed on now of this message: it, or nothing yet.

        Args:
            message: In the order of the broker, which is kept as far as there is room.
            fact: It says how the house is.
        """
        if self.over or fact or len(self._held) >= self._most:
            return [message]
        self._held.append(message)
        return []

    def end(self) -> list[Incoming]:
        """The broker has sent all of it: what was held, in its order."""
        held, self._held, self.over = self._held, [], True
        return held
