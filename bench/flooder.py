"""The flood itself, in a process of its own: its work must not delay what the bench times.

`python -m bench.flooder PORT NODE COUNT TIMEOUT` says it is ready, floods once it is told to go,
and prints every reply.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import msgspec

from bench.flood_verdict import Flooded, by_id
from tests.rig.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMPT: Final = "Is the light on?"
POLL_S: Final = 0.05
SECOND_REPLY_S: Final = 2.0  # a reply that must not come has as long to come


def flood(port: int, node: str, count: int, timeout: float) -> Flooded:
    """Send `count` prompts at once and collect the replies to them.

    Args:
        port: Of the broker.
        node: Whom to flood.
        count: How many prompts, each with an id of its own.
        timeout: Seconds to wait for the replies after the last prompt.
    """
    names = [flood_name(number) for number in range(count)]
    with (
        TestClient(port, client_id="listener") as listener,
        TestClient(port, client_id="flood") as loud,
    ):
        listener.subscribe(f"edged/{node}/reply/+")
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.monotonic()
        for name in names:
            body = msgspec.json.encode({"id": name, "prompt": PROMPT, "stream": False})
            loud.publish(f"edged/{node}/request", body, wait=False)
        sent = time.monotonic()
        _wait(listener, set(names), sent + timeout)
    answered = by_id(list(listener.records))
    return Flooded(began=began, sent=sent, answered=answered)


def flood_name(number: int) -> str:
    """The id of a prompt of the flood."""
    return f"flood-{number}"


def _wait(listener: TestClient, names: set[str], deadline: float) -> None:
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        # Looking into each record is dear, so it is done only once there are enough of them.
        if len(listener.records) >= len(names) and names <= set(by_id(list(listener.records))):
            break
    time.sleep(SECOND_REPLY_S)


def main(argv: Sequence[str]) -> int:
    """Flood once."""
    port, node, count, timeout = argv
    flooded = flood(int(port), node, int(count), float(timeout))
    print(msgspec.json.encode(flooded).decode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
