"""Two nodes of one name on one broker: each is told, and they do not fight over it."""

from __future__ import annotations

import time

import pytest

from tests.faults.kit import NODE, QUICK, STATE, eventually, problems
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

QUIET_S = 10.0  # without a word the two took each other's session some five times in it

pytestmark = [pytest.mark.process, pytest.mark.fault]


def own_client(name: str) -> dict[str, dict[str, str]]:
    return {"mqtt": {"client_id": name}}


def raised(daemon: DaemonProcess) -> int:
    return daemon.stderr().count("code=name_taken")


def test_two_with_clients_of_their_own_both_know_and_come_to_rest() -> None:
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        DaemonProcess(broker.port, script=QUICK, config=own_client("one")) as one,
        DaemonProcess(broker.port, script=QUICK, config=own_client("two")) as two,
    ):
        eventually(lambda: raised(one) and raised(two), "both know")
        client.subscribe(STATE, f"edged/{NODE}/info")
        eventually(lambda: "name_taken" in problems(client), "told in the state")
        said = len(client.on(f"edged/{NODE}/info"))
        client.publish(f"edged/{NODE}/command/announce")
        client.wait(lambda each: each.topic.endswith("/info"), count=said + 2)
        assert (raised(one), raised(two)) == (1, 1)


def test_two_of_one_client_take_turns_and_say_why() -> None:
    with Broker() as broker, DaemonProcess(broker.port, script=QUICK) as one:
        other = DaemonProcess(broker.port, script=QUICK)
        other.patient = False
        with other:
            eventually(lambda: raised(one) or raised(other), "one of them knows")
            # mosquitto tells nobody why it closes: who comes back sees the other's info, and waits
            # half a minute the next time; the other one wins every turn until then.
            counts = [each.stderr().count("broker connected") for each in (one, other)]
            time.sleep(QUIET_S)
            after = [each.stderr().count("broker connected") for each in (one, other)]
            assert sum(after) - sum(counts) <= 2, (counts, after)
