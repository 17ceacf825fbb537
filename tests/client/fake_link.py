"""A link that hands out a scripted list of messages."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.mqtt.packet import Incoming


class FakeLink:
    """Records what it is asked to do; after its script it is silent."""

    def __init__(self, script: Sequence[tuple[str, Any]], *, interrupt: bool = False) -> None:
        self._script = list(script)
        self._interrupt = interrupt
        self.calls: list[tuple[str, str]] = []
        self.published: list[tuple[str, bytes]] = []

    def subscribe(self, *topics: str) -> None:
        self.calls += [("subscribe", topic) for topic in topics]

    def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> None:
        del qos
        self.calls.append(("publish", topic))
        self.published.append((topic, payload))

    def receive(self, timeout: float) -> Incoming | None:
        del timeout
        if self._interrupt:
            raise KeyboardInterrupt
        if not self._script:
            return None
        topic, payload = self._script.pop(0)
        data = payload if isinstance(payload, str) else json.dumps(payload)
        return cast("Incoming", SimpleNamespace(topic=topic, payload=data.encode()))
