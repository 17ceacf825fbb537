"""Presses of a button out of the edges of its contact."""

from __future__ import annotations

import math

import msgspec

# A contact of a cheap button bounces for 1 to 20 ms when it closes and when it opens. A finger
# is never faster than this, and a loose wire that hums does not come to rest for as long.
QUIET_S = 0.05


class Contact(msgspec.Struct, frozen=True):
    """The contact after an edge.

    Attributes:
        edge_at: Monotonic seconds of the last edge.
        pressed: That edge was a press: the contact closed after it had been at rest.
    """

    edge_at: float = -math.inf
    pressed: bool = False


def edge(contact: Contact, now: float, *, closed: bool) -> Contact:
    """Takes one edge.

    Args:
        contact: After the edge before.
        now: Monotonic seconds.
        closed: The contact closed; else it opened.
    """
    at_rest = now - contact.edge_at >= QUIET_S
    return Contact(now, pressed=closed and at_rest)
