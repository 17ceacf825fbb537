"""F01: the broker goes and comes back, forgetful or not, while we idle and while we answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.kit import (
    AVAILABILITY,
    NODE,
    QUICK,
    SLOW,
    STATE,
    eventually,
    reply_of,
    served,
    streaming,
    told,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.process, pytest.mark.fault]

BACK_S = 10.0
AWAY_S = 0.3


def restart(broker: Broker, how: str, *clients: TestClient) -> float:
    """End it, let it be away for a while, start it; when it was back and all clients with it."""
    ended = broker.kill if how == "kill" else broker.stop
    ended()
    time.sleep(AWAY_S)
    back = time.monotonic()
    broker.start()
    _connected(clients)
    return back


def _connected(clients: Sequence[TestClient]) -> None:
    eventually(lambda: all(client.connected for client in clients), "clients connect again")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_restarts(how: str) -> None:
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        DaemonProcess(broker.port, script=QUICK) as daemon,
        TestClient(broker.port) as client,
    ):
        back = restart(broker, how, witness, client)
        daemon.wait_online(BACK_S)
        # It forgot what was retained: we say it again, and it has our subscriptions again.
        witness.wait(lambda r: r.topic == STATE and r.at > back)
        witness.wait(lambda r: r.topic == f"edged/{NODE}/info" and r.at > back)
        served(client)

        daemon_before = daemon.pid
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        daemon.write_script(SLOW)
        long_words = " ".join(f"w{number}" for number in range(200))
        client.send(NODE, long_words, id="mid")
        streaming(client, "mid", 5)
        again = restart(broker, how, witness, client)
        reply = reply_of(client, "mid")
        assert reply["status"] == "ok"
        assert reply["text"].split() == long_words.split()
        served(client)

        history = witness.history()
        assert verdict(daemon, history, asked=["mid"], gaps=True) == []
        for moment in (back, again):
            # A killed broker sends no will, so there is no change: look at each `online`.
            online = [r.at - moment for r in history if r.topic == AVAILABILITY]
            assert any(0 <= late <= BACK_S for late in online), online
        assert daemon.pid == daemon_before
        assert len(told(daemon, "broker lost")) <= 4, "one line per cause and restart"
