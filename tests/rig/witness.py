"""Sees everything the broker sees, and judges it by the oracles.

An oracle takes a history and returns its violations as sentences: an empty list is a pass.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from tests.rig.client import TIMEOUT_S, Record, TestClient

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

# What a node may publish on below `edged/<node>/`, by its first level there.
OWN = frozenset(
    (
        "reply",
        "stream",
        "progress",
        "event",
        "availability",
        "state",
        "selection",
        "update",
        "info",
        "receipt",
    )
)
# Verbs of requesters: what stands there was not published by the node.
INBOUND = frozenset(("request", "cancel", "command"))
KEEPALIVE_FACTOR = 1.5
MARKS = "witness/"  # topics on which a witness writes to itself


class Witness(TestClient):
    """A `#` subscriber; `records` is the history."""

    def __init__(
        self, port: int, *, username: str | None = None, password: str | None = None
    ) -> None:
        super().__init__(port, username=username, password=password, retain_as_published=True)

    def __enter__(self) -> Self:
        super().__enter__()
        self.subscribe("#")
        return self

    def history(self) -> list[Record]:
        """All that the broker took before this call.

        What a test has learnt another way may still be on its way here, so a mark of our own is
        sent around: with QoS 1 it comes after all that went before. A broker that is away has
        nothing more to deliver.
        """
        mark = f"{MARKS}{uuid4().hex}"
        self.publish(mark, wait=False)
        with self._changed:
            back = self._changed.wait_for(
                lambda: not self.connected or any(r.topic == mark for r in self.records), TIMEOUT_S
            )
            assert back, "the broker does not deliver"
            return [record for record in self.records if not record.topic.startswith(MARKS)]


def reply_id(record: Record) -> str | None:
    """The request a terminal reply belongs to; None if this is no reply."""
    if "/reply/" not in record.topic:
        return None  # requests may hold anything, JSON of any depth too
    try:
        body = json.loads(record.payload)
    except ValueError:
        return None
    if isinstance(body, dict) and {"id", "status"} <= body.keys():
        return str(body["id"])
    return None


def replies(history: Iterable[Record]) -> dict[str, list[Record]]:
    """Terminal replies by request id."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in history:
        if (key := reply_id(record)) is not None:
            found[key].append(record)
    return found


def exactly_one_reply(
    history: Iterable[Record], accepted: Iterable[str], asked: Iterable[str] | None = None
) -> list[str]:
    """O1: at most one terminal reply for each id, and one for each accepted id.

    `accepted` are ids whose request the broker took; `asked` (default: no limit) are all ids
    that a reply may be for.
    """
    found = replies(history)
    wrong = [f"{key}: {len(rows)} replies" for key, rows in found.items() if len(rows) > 1]
    wrong += [f"{key}: no reply" for key in accepted if key not in found]
    if asked is not None:
        wrong += [f"{key}: a reply nobody asked for" for key in found.keys() - set(asked)]
    return wrong


def contiguous_streams(history: Sequence[Record], node: str) -> list[str]:
    """O2: sequence numbers of deltas have no gap, and their join is the reply's text."""
    streams: dict[str, list[dict[str, Any]]] = defaultdict(list)
    prefix = f"edged/{node}/stream/"
    for record in history:
        if record.topic.startswith(prefix):
            streams[record.topic.removeprefix(prefix)].append(record.json())
    texts = {key: rows[0].json().get("text") for key, rows in replies(history).items()}
    wrong = []
    for key, deltas in streams.items():
        numbers = [delta["seq"] for delta in deltas]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            wrong.append(f"{key}: sequence numbers {numbers}")
        joined = "".join(delta.get("delta", "") for delta in deltas)
        if deltas[-1].get("done") and texts.get(key) is not None and joined != texts[key]:
            wrong.append(f"{key}: deltas make {joined!r}, the reply says {texts[key]!r}")
    return wrong


def only_allowed_topics(
    history: Iterable[Record],
    node: str,
    *,
    reply_prefixes: Sequence[str] = (),
    strangers: Collection[str] = (),
) -> list[str]:
    """O3: nothing outside the allow-list; `strangers` are topics that the test itself used."""
    return [
        f"published on {record.topic}"
        for record in history
        if record.topic not in strangers and not _allowed(record.topic, node, reply_prefixes)
    ]


def _allowed(topic: str, node: str, reply_prefixes: Sequence[str]) -> bool:
    if any(topic.startswith(prefix) for prefix in reply_prefixes):
        return True
    if topic == f"homeassistant/device/edged_{node}/config":
        return True
    levels = topic.split("/")
    if levels[:2] != ["edged", node]:
        return topic == "edged/any/request"
    return levels[2] in OWN or levels[2] in INBOUND


def availability(history: Iterable[Record], node: str) -> list[tuple[float, str]]:
    """Every change of the availability topic: when, and to what."""
    changes: list[tuple[float, str]] = []
    for record in history:
        value = record.payload.decode(errors="replace")
        same = bool(changes) and changes[-1][1] == value
        if record.topic == f"edged/{node}/availability" and not same:
            changes.append((record.at, value))
    return changes


def true_availability(
    history: Iterable[Record], node: str, *, keepalive_s: float, died_at: Sequence[float] = ()
) -> list[str]:
    """O4: `offline` within 1.5 times the keepalive of each death, and no flapping.

    `died_at` are the monotonic seconds at which the node or its line died. One `offline`
    more than deaths is a clean stop or the one retained from before.
    """
    changes = availability(history, node)
    limit = keepalive_s * KEEPALIVE_FACTOR
    wrong = [
        f"no offline within {limit} s of a death"
        for at in died_at
        if not _any(changes, "offline", at, at + limit)
    ]
    offlines = sum(1 for _, value in changes if value == "offline")
    if offlines > len(died_at) + 1:
        wrong.append(f"{offlines} times offline for {len(died_at)} faults")
    return wrong


def recovered(
    history: Iterable[Record], node: str, *, alive_at: Sequence[float], within_s: float
) -> list[str]:
    """O4, O8: `online` soon after each moment from which it was possible again."""
    changes = availability(history, node)
    return [
        f"not online within {within_s} s of a recovery"
        for at in alive_at
        if not _any(changes, "online", at, at + within_s)
    ]


def _any(changes: Iterable[tuple[float, str]], value: str, since: float, until: float) -> bool:
    return any(v == value and since <= at <= until for at, v in changes)


def bounded_queue(
    history: Iterable[Record], node: str, *, capacity: int, running: int = 1
) -> list[str]:
    """O5: in every state published, not more wait or run than may."""
    wrong = []
    for record in history:
        if record.topic != f"edged/{node}/state" or not record.payload:
            continue
        state = record.json()
        for name, limit in (("waiting", capacity), ("running", running)):
            value = state.get(name, 0)
            if isinstance(value, int) and value > limit:
                wrong.append(f"{name} is {value}, the limit {limit}")
    return wrong
