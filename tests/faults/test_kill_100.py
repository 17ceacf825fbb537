"""`kill -9` of the daemon at random moments: every accepted prompt has exactly one reply.

`EDGED_KILLS` and `EDGED_SEED` ask for more kills or for those of an earlier run.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.faults.kit import REPLIES, REQUEST, eventually, unharmed
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness, bounded_queue, only_allowed_topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.rig.client import Record

KILLS = int(os.environ.get("EDGED_KILLS", "100"))
# When to kill, counted from the start in the time that the first start took to be online:
# the imports are over at about 0.5, and half of all kills hit a daemon at work.
EARLIEST = 0.4
LATEST = 2.2
# On a busy machine a start takes seconds; then fewer kills have to do.
BUDGET_S = 0.9 * KILLS
OPEN = 8  # prompts without a reply at any time: below every limit, so none is refused
PAUSE_S = 0.005
# 3 words of 8 ms each
SCRIPT: Mapping[str, Any] = {"ms_per_token": 8}


class Prompter:
    """Asks without a pause, by id and without, keeping `OPEN` prompts under way."""

    def __init__(self, client: TestClient, witness: Witness) -> None:
        self.asked = 0
        self._client = client
        self._witness = witness
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prompter")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def open(self) -> int:
        """Prompts that have no reply yet."""
        return self.asked - len(answers(self._witness.history()))

    def _run(self) -> None:
        while not self._end.wait(PAUSE_S):
            if self.open < OPEN:
                self._ask(self.asked)
                self.asked += 1

    def _ask(self, number: int) -> None:
        mark = str(number).encode()
        if number % 2:
            # Without an id only the delivery itself tells a repetition.
            self._client.publish(
                REQUEST,
                f"prompt number {number}",
                wait=False,
                CorrelationData=mark,
                ResponseTopic=f"{REPLIES}r{number}",
            )
        else:
            body = f'{{"id": "k{number}", "prompt": "prompt number {number}", "stream": false}}'
            self._client.publish(REQUEST, body, wait=False, CorrelationData=mark)


def answers(history: list[Record]) -> dict[int, list[Record]]:
    """Replies by the number of their prompt."""
    found: dict[int, list[Record]] = {}
    for record in history:
        if record.topic.startswith(REPLIES) and record.correlation is not None:
            found.setdefault(int(record.correlation), []).append(record)
    return found


@pytest.mark.process
@pytest.mark.fault
@pytest.mark.timeout(120 + 3 * KILLS)
def test_no_reply_is_lost_or_given_twice() -> None:
    seed = int(os.environ.get("EDGED_SEED", str(secrets.randbelow(1_000_000))))
    print(  # noqa: T201 - to be repeated
        f"EDGED_SEED={seed} EDGED_KILLS={KILLS}"
    )
    moments = random.Random(seed)  # noqa: S311 - to be repeated
    began = time.monotonic()
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, script=SCRIPT) as daemon,
        Prompter(client, witness) as prompter,
    ):
        boot_s = time.monotonic() - began
        unanswered = _massacre(daemon, prompter, moments, boot_s)
        asked = _finish(prompter, witness)
        history = witness.history()
        assert _wrong(history, asked) == []
        assert only_allowed_topics(history, "test") == []
        assert bounded_queue(history, "test", capacity=64) == []
        assert unharmed(daemon) == []
        outcomes = Counter(rows[0].json()["status"] for rows in answers(history).values())
    assert sorted(unanswered)[len(unanswered) // 2] >= 2, f"too few under way: {unanswered}"
    assert outcomes["ok"] >= asked / 2, outcomes
    assert outcomes.keys() <= {"ok", "failed"}, outcomes


def _massacre(
    daemon: DaemonProcess, prompter: Prompter, moments: random.Random, boot_s: float
) -> list[int]:
    """Kill and start it again and again; how much was under way each time."""
    daemon.patient = False
    unanswered: list[int] = []
    until = time.monotonic() + BUDGET_S
    while len(unanswered) < KILLS and time.monotonic() < until:
        time.sleep(boot_s * moments.uniform(EARLIEST, LATEST))
        daemon.kill()
        unanswered.append(prompter.open)
        daemon.start()
    print(  # noqa: T201 - what the figure stands for
        f"{len(unanswered)} kills, {prompter.asked} prompts, {boot_s:.2f} s to be online"
    )
    return unanswered


def _finish(prompter: Prompter, witness: Witness) -> int:
    """Ask no more and wait until the last one has its reply, and a little for a second one."""
    prompter.__exit__()
    eventually(lambda: prompter.open == 0, "all answered", timeout=30)
    time.sleep(0.5)
    assert witness.connected
    return prompter.asked


def _wrong(history: list[Record], asked: int) -> list[str]:
    """O1, strictly; what came and when, so that the cause can be found."""
    found = answers(history)
    rows = {number: found.get(number, []) for number in range(asked)}
    return [
        f"prompt {number}: {[(record.at, record.payload) for record in records]}"
        for number, records in rows.items()
        if len(records) != 1
    ]
