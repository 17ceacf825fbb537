"""F04: the broker does not want us, or not everything of us: named once, no hot loop.

A refusal waits at least 30 s for the next try. `EDGED_SLOW=1` waits for that, too.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.faults.kit import (
    AVAILABILITY,
    NODE,
    QUICK,
    STATE,
    eventually,
    problems,
    served,
    text_file,
    told,
    unharmed,
)
from tests.rig.broker import Broker, BrokerOptions
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.proxy import Proxy
from tests.rig.witness import Witness

pytestmark = [pytest.mark.process, pytest.mark.fault]

QUIET_S = 3.0  # a hot loop would try hundreds of times
GUEST = "guest"
USERS = {"node": "right", "guest": GUEST}
ALL = ("user guest", "topic readwrite #", "topic read $SYS/#")
OWN = f"topic readwrite edged/{NODE}/#"
MAY = (*ALL, "user node", OWN, f"topic write homeassistant/device/edged_{NODE}/config")
MAY_NOT_WRITE = (*MAY, f"topic deny edged/{NODE}/reply/#")
MAY_NOT_ANNOUNCE = (*ALL, "user node", OWN)


DYNAMIC_SECURITY = Path(f"/usr/lib/{platform.machine()}-linux-gnu/mosquitto_dynamic_security.so")
RULES = {
    "defaultACLAccess": {
        "publishClientSend": True,
        "publishClientReceive": True,
        "subscribe": False,
        "unsubscribe": True,
    },
    "roles": [
        {
            "rolename": "admin",
            "acls": [{"acltype": "publishClientSend", "topic": "$CONTROL/#", "allow": True}],
        }
    ],
    "groups": [{"groupname": "all", "roles": [{"rolename": "admin"}]}],
    "anonymousGroup": "all",
}
ALLOW = {
    "commands": [
        {"command": "setDefaultACLAccess", "acls": [{"acltype": "subscribe", "allow": True}]}
    ]
}


def credentials(directory: Path, password: str) -> dict[str, Any]:
    path = text_file(directory, "password", password + "\n")
    return {"mqtt": {"username": "node", "password_file": str(path), "reconnect_max_s": 1}}


def test_a_wrong_password(tmp_path: Path) -> None:
    config = credentials(tmp_path, "wrong")
    with (
        Broker(BrokerOptions(users=USERS, acl=MAY)) as broker,
        Proxy(broker.port) as proxy,
    ):
        daemon = DaemonProcess(proxy.port, script=QUICK, config=config)
        daemon.patient = False
        with daemon:
            eventually(lambda: told(daemon, "broker refuses"), "the refusal is told")
            time.sleep(QUIET_S)
            assert proxy.accepted == 1
            refused = told(daemon, "broker")
            assert len(refused) == 1
            assert "wrong" not in daemon.stderr()
            if "EDGED_SLOW" in os.environ:
                broker.reload(BrokerOptions(users={**USERS, "node": "wrong"}, acl=MAY))
                eventually(lambda: "broker connected" in daemon.stderr(), "the next try", 70)
            assert daemon.terminate() == 0
            assert unharmed(daemon) == []


def test_rules_that_forbid_writing_and_are_mended(tmp_path: Path) -> None:
    options = BrokerOptions(users=USERS, acl=MAY_NOT_WRITE)
    with (
        Broker(options) as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port, username="guest", password=GUEST) as witness,
        TestClient(broker.port, username="guest", password=GUEST) as client,
    ):
        daemon = DaemonProcess(proxy.port, script=QUICK, config=credentials(tmp_path, "right"))
        daemon.patient = False
        with daemon:
            witness.wait(lambda r: r.topic == AVAILABILITY and r.payload == b"online")
            client.send(NODE, "hello", id="lost")
            eventually(lambda: problems(witness) == {"publish_refused"}, "told in the state")
            time.sleep(QUIET_S)
            assert proxy.accepted == 1
            assert len(told(daemon, "broker refuses", "reply/lost")) == 1

            broker.reload(msgspec.structs.replace(options, acl=MAY))
            time.sleep(0.2)  # mosquitto reads its files between two turns of its loop
            served(client)
            eventually(lambda: problems(witness) == set(), "well again")
            assert daemon.terminate() == 0
            assert unharmed(daemon) == []


def test_rules_that_forbid_to_be_seen_cost_no_answer(tmp_path: Path) -> None:
    with (
        Broker(BrokerOptions(users=USERS, acl=MAY_NOT_ANNOUNCE)) as broker,
        TestClient(broker.port, username="guest", password=GUEST) as client,
    ):
        config = credentials(tmp_path, "right")
        daemon = DaemonProcess(broker.port, script=QUICK, config=config)
        daemon.patient = False
        with daemon:
            client.subscribe(STATE)
            eventually(lambda: problems(client) == {"discovery_refused"}, "told in the state")
            served(client)
            assert problems(client) == {"discovery_refused"}
            assert len(told(daemon, "broker refuses", "homeassistant/device")) == 1
            assert daemon.terminate() == 0


@pytest.mark.skipif(not DYNAMIC_SECURITY.exists(), reason="mosquitto has no ACL plugin here")
def test_rules_that_forbid_reading_and_are_mended(tmp_path: Path) -> None:
    # mosquitto's ACL file grants every subscription and delivers nothing; its plugin refuses.
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    lines = (f"plugin {DYNAMIC_SECURITY}", f"plugin_opt_config_file {rules}")
    with Broker(BrokerOptions(extra=lines)) as broker, Proxy(broker.port) as proxy:
        daemon = DaemonProcess(proxy.port, script=QUICK, config={"mqtt": {"reconnect_max_s": 1}})
        daemon.patient = False
        with daemon:
            eventually(lambda: told(daemon, "subscribe_refused"), "the refusal is told")
            time.sleep(QUIET_S)
            assert proxy.accepted == 1
            assert len(told(daemon, "broker")) == 1, "one line for all topics of one cause"

            with TestClient(broker.port) as client:
                client.publish("$CONTROL/dynamic-security/v1", json.dumps(ALLOW))
                client.subscribe(STATE)
                eventually(lambda: problems(client) == {"subscribe_refused"}, "in the state")
                if "EDGED_SLOW" not in os.environ:
                    proxy.reset()  # a new connection asks at once, this one after 30 s
                eventually(lambda: problems(client) == set(), "well again", 60)
                served(client)
            assert daemon.terminate() == 0
            assert unharmed(daemon) == []
