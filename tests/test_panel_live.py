"""A daemon whose configuration names pins that this machine does not have."""

from __future__ import annotations

import pytest

from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess

pytestmark = pytest.mark.process


def test_a_panel_that_is_not_there_is_told_once_and_prompts_are_answered() -> None:
    panel = {"led_pin": 17, "button_pin": 27, "fan_pin": 18}
    with (
        Broker() as broker,
        DaemonProcess(broker.port, script={"tokens": 3}, config={"panel": panel}) as daemon,
        TestClient(broker.port) as client,
    ):
        reply = client.ask("test", "hello")
        daemon.terminate()
        assert reply["status"] == "ok"
        lines = [line for line in daemon.stderr().splitlines() if "panel not in use" in line]
        assert len(lines) == 1
        assert "no pins can be used" in lines[0]
