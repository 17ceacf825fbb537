"""`edged status` and `edged top`: the retained topics, once or live."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.live import Live

from edged.client import render
from edged.client.link import decode_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.client.link import Link
    from edged.mqtt.packet import Incoming
    from edged.mqtt.topics import Topics

    View = dict[str, Any]


class Watcher:
    """Keeps the newest availability, state and info of one node."""

    def __init__(self, link: Link, topics: Topics) -> None:
        self._link = link
        self._topics = topics
        self.availability = "unknown"
        self.state: View = {}
        self.info: View = {}

    @property
    def complete(self) -> bool:
        """Whether every retained topic has been seen."""
        return self.availability != "unknown" and bool(self.state) and bool(self.info)

    def subscribe(self) -> None:
        """Asks for the retained topics."""
        self._link.subscribe(self._topics.availability, self._topics.state, self._topics.info)

    def updates(self, seconds: float) -> Iterator[None]:
        """Yields after each message for at most `seconds` seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self._link.receive(left)
            if message is not None:
                self._take(message)
                yield

    def _take(self, message: Incoming) -> None:
        if message.topic == self._topics.availability:
            self.availability = message.payload.decode(errors="replace")
        elif message.topic == self._topics.state:
            self.state = decode_object(message.payload)
        elif message.topic == self._topics.info:
            self.info = decode_object(message.payload)


def status(link: Link, topics: Topics, *, timeout: float, as_json: bool) -> int:
    """Runs `edged status`.

    Args:
        link: A connected link.
        topics: The topic tree of the node.
        timeout: Seconds to wait for the retained topics.
        as_json: True prints one JSON object.

    Returns:
        0 where the node is online, else 1.
    """
    watcher = Watcher(link, topics)
    watcher.subscribe()
    for _ in watcher.updates(timeout):
        if watcher.complete:
            break
    if as_json:
        view = {
            "node": topics.node,
            "availability": watcher.availability,
            "state": watcher.state,
            "info": watcher.info,
        }
        print(msgspec.json.encode(view).decode())
    elif watcher.availability == "unknown":
        print(f"no edged has ever said anything on node {topics.node}", file=sys.stderr)
    else:
        Console().print(
            render.table(topics.node, watcher.availability, watcher.state, watcher.info)
        )
    return 0 if watcher.availability == "online" else 1


def top(link: Link, topics: Topics, *, seconds: float, as_json: bool) -> int:
    """Runs `edged top` for `seconds` seconds or until Ctrl-C; 0."""
    watcher = Watcher(link, topics)
    watcher.subscribe()
    try:
        if as_json:
            for _ in watcher.updates(seconds):
                print(msgspec.json.encode(watcher.state).decode(), flush=True)
            return 0
        _live(watcher, topics.node, seconds)
    except KeyboardInterrupt:
        pass
    return 0


def _live(watcher: Watcher, node: str, seconds: float) -> None:
    def picture() -> Any:
        return render.table(node, watcher.availability, watcher.state, watcher.info)

    with Live(picture(), auto_refresh=False) as live:
        for _ in watcher.updates(seconds):
            live.update(picture(), refresh=True)
