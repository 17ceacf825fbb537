"""Keeps what the topics of fields say, and puts it into the prompts that run.

It goes past the inbox: nothing is decided by it and only the newest counts, so that a sensor which
floods its topic fills no queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.mqtt.packet import MAX_FACT_BYTES
from edged.serving.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.clock import Clock
    from edged.daemon.notes import Notes
    from edged.mqtt.packet import Connected, Incoming
    from edged.serving.request import Request
    from edged.settings import PersonaConfig


class FactKeeper:
    """What was heard, and who is told.

    Args:
        personas: Those of the configuration.
        clock: Says how old a message is.
        notes: For the journal and the problems; is told topics and names, never a value.
    """

    def __init__(self, personas: Iterable[PersonaConfig], clock: Clock, notes: Notes) -> None:
        self._facts = Facts(personas)
        self._clock = clock
        self._notes = notes
        self._large: set[str] = set()

    def hear(self, message: Incoming) -> None:
        """Take a message on a topic that some field reads."""
        now = self._clock.monotonic()
        self._measure(message, now)
        self._facts.hear(
            message.topic,
            message.payload,
            now,
            connection=message.connection,
            retained=message.retain,
        )

    def connected(self, event: Connected) -> None:
        """What the broker retains comes again."""
        self._facts.connected(event.connection, self._clock.monotonic())

    def told(self, request: Request, now: float) -> Request:
        """The request as the engine is to read it, with the house as it is now."""
        told = self._facts.told(request, now)
        if told.missing:
            self._notes.fields_unknown(request.persona or "", told.missing)
        return told.request

    def _measure(self, message: Incoming, now: float) -> None:
        if message.size is not None:
            self._large.add(message.topic)
            self._notes.field_too_large(message.topic, message.size, MAX_FACT_BYTES, now)
        elif message.topic in self._large:
            self._large.remove(message.topic)
            if not self._large:
                self._notes.fields_fit()
