"""What the fault tests share: quick scripts, bounded waits, the oracles in one call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.rig.witness import (
    bounded_queue,
    contiguous_streams,
    only_allowed_topics,
    replies,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import psutil

    from tests.rig.client import Record, TestClient
    from tests.rig.daemon import DaemonProcess

NODE = "test"
REQUEST = f"edged/{NODE}/request"
REPLIES = f"edged/{NODE}/reply/"
STATE = f"edged/{NODE}/state"
AVAILABILITY = f"edged/{NODE}/availability"

# Answers each prompt with its own words, 5 ms each.
QUICK: Mapping[str, Any] = {"ms_per_token": 5}
# Some seconds of decode: time for a fault in the middle.
SLOW: Mapping[str, Any] = {"ms_per_token": 20, "tokens": 100}
# One thread for the real worker, since the tests share two cores; and one answer at a time, so that
# it is known which one a fault hits.
REAL: Mapping[str, Any] = {"engine": {"threads": 1, "streams": 1}}

POLL_S = 0.01
WAIT_S = 20.0  # for anything; a passing test waits for a fraction of it
CHILD_GONE_S = 2.0  # F07

# A long text: some 500 tokens for the pocket model, 1,900 for the endless one.
LONG_PROMPT = "Is the kitchen warm? " * 100


def eventually(true: Callable[[], object], what: str, timeout: float = WAIT_S) -> None:
    """Return as soon as it is true."""
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(POLL_S)


def served(client: TestClient, timeout: float = WAIT_S) -> dict[str, Any]:
    """The next prompt is answered: nothing before it did lasting harm."""
    reply = client.ask(NODE, "hello you", timeout=timeout)
    assert reply["status"] == "ok", reply
    return reply


def reply_of(client: TestClient, request_id: str, timeout: float = WAIT_S) -> dict[str, Any]:
    """The terminal reply on the topic of this id."""
    reply: dict[str, Any] = client.wait_topic(REPLIES + request_id, timeout).json()
    return reply


def last_state(client: TestClient) -> dict[str, Any]:
    """The newest retained state that the client has seen; empty without one."""
    states = [record for record in client.on(STATE) if record.payload]
    state: dict[str, Any] = states[-1].json() if states else {}
    return state


def problems(client: TestClient) -> set[str]:
    """The codes of the problems in the newest state."""
    return {problem["code"] for problem in last_state(client).get("problems", ())}


def status(client: TestClient) -> str:
    """The one word of the newest state."""
    return str(last_state(client).get("status", ""))


def streaming(client: TestClient, request_id: str, deltas: int = 1) -> None:
    """Return when so many deltas of the request have come."""
    topic = f"edged/{NODE}/stream/{request_id}"
    client.wait(lambda record: record.topic == topic, WAIT_S, count=deltas)


def told(daemon: DaemonProcess, *words: str) -> list[str]:
    """Lines of the daemon's log at warning or above that hold all the words."""
    lines = daemon.stderr().splitlines()
    loud = [line for line in lines if line.startswith(("WARNING ", "ERROR "))]
    return [line for line in loud if all(word in line for word in words)]


def engine(daemon: DaemonProcess) -> psutil.Process:
    """The child; there is exactly one."""
    eventually(lambda: len(daemon.children()) == 1, "one child")
    return daemon.children()[0]


def unharmed(daemon: DaemonProcess) -> list[str]:
    """O7: no traceback, nothing that the daemon itself calls a mistake."""
    text = daemon.stderr()
    signs = ("Traceback", "mistake in edged", "Exception", "Error:", "never retrieved")
    return [f"the log says {sign!r}" for sign in signs if sign in text]


def verdict(  # noqa: PLR0913 - each oracle has a question of its own
    daemon: DaemonProcess,
    history: Sequence[Record],
    *,
    asked: Iterable[str] = (),
    capacity: int = 64,
    running: int = 1,
    strangers: Iterable[str] = (),
    gaps: bool = False,
) -> list[str]:
    """O1, O2, O3, O5 and O7 over a whole history: the violations.

    Args:
        daemon: For its log.
        history: All that the witness saw.
        asked: Ids that were accepted: each has exactly one reply.
        capacity: As configured.
        running: The most that run at once.
        strangers: Topics the test itself published on.
        gaps: Deltas may be missing (QoS 0 while the line was down) or come anew.
    """
    found = replies(history)
    counts = {key: len(rows) for key, rows in found.items()}
    wrong = [f"{key}: {count} replies" for key, count in counts.items() if count > 1]
    wrong += [f"{key}: no reply" for key in asked if key not in counts]
    if not gaps:
        wrong += contiguous_streams(history, NODE)
    wrong += only_allowed_topics(history, NODE, strangers=tuple(strangers))
    wrong += bounded_queue(history, NODE, capacity=capacity, running=running)
    return wrong + unharmed(daemon)


def text_file(directory: Path, name: str, text: str) -> Path:
    """A small file for a configuration to point at."""
    path = directory / name
    path.write_text(text)
    path.chmod(0o600)
    return path
