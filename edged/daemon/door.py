"""The door of the inbox: what is let in when there is too much, and what goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.engine.frames import Delta, Effort, Prefill
from edged.mqtt.packet import Connected, Incoming

if TYPE_CHECKING:
    from edged.daemon.facts import FactKeeper
    from edged.daemon.inbox import Inbox
    from edged.daemon.notes import Notes
    from edged.mqtt.topics import Topics

# Items in the inbox: honest sources have under 300 under way. Above the first bound what may be
# lost is dropped (QoS 0, a babbling child's deltas); above the second requests with QoS 1 too,
# unacknowledged, so that a broker which ignores our Receive Maximum delivers them again later.
SOFT_INBOX, INBOX = 4096, 8192
BATCH = 128  # items performed together, in one ledger transaction


class Door:
    """All sources put their items in here.

    Args:
        inbox: Where they go.
        topics: The topic tree.
        notes: For the journal.
        facts: Takes what is not to wait in the inbox.
    """

    def __init__(self, inbox: Inbox, topics: Topics, notes: Notes, facts: FactKeeper) -> None:
        self._inbox = inbox
        self._topics = topics
        self._notes = notes
        self._facts = facts

    def offer(self, item: object) -> None:
        """Puts an item into the inbox; called in the event loop."""
        inbox = self._inbox
        message = item if isinstance(item, Incoming) else None
        kind = None if message is None else self._kind(message)
        if isinstance(item, Connected):
            self._facts.connected(item)
        if message is not None and kind == "fact":
            self._facts.hear(message)
            return
        request = kind == "request"
        lossy = isinstance(item, Delta | Prefill | Effort) or (
            request and message is not None and not message.qos
        )
        bound = SOFT_INBOX if lossy else INBOX
        if (lossy or message is not None) and len(inbox) >= bound:
            self._notes.dropped(type(item).__name__)
        elif request or (message is not None and 0 < inbox.asked <= BATCH):
            # A cancel overtakes a flood, but not the few requests among which its own may be.
            inbox.ask(item)
        else:
            inbox.tell(item)

    def _kind(self, message: Incoming) -> str | None:
        meaning = self._topics.parse(message.topic)
        return None if meaning is None else meaning.kind
