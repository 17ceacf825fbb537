"""The session before locked doors: TLS, passwords, ACLs: F02, F04."""

from __future__ import annotations

import json
import logging
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edged.mqtt import link
from edged.mqtt.packet import Connected, Disconnected, Granted, Refused, Taken
from edged.settings import TlsConfig
from tests.mqtt.rider import Rider
from tests.rig.broker import Broker, BrokerOptions, BrokerTls
from tests.rig.certs import DAY_S, Authority
from tests.rig.client import TestClient
from tests.rig.witness import Witness

pytestmark = [pytest.mark.process, pytest.mark.fault]

if TYPE_CHECKING:
    from collections.abc import Sequence

DYNAMIC_SECURITY = Path(f"/usr/lib/{platform.machine()}-linux-gnu/mosquitto_dynamic_security.so")
SECRET = b"hunter2-\xc3\xa4"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def tls_broker(
    authority: Authority, dates: tuple[float, float] = (-DAY_S, DAY_S), *, mutual: bool = False
) -> Broker:
    pair = authority.issue("broker", not_before_s=dates[0], not_after_s=dates[1])
    tls = BrokerTls(ca_file=authority.ca_file, pair=pair, require_certificate=mutual)
    return Broker(BrokerOptions(tls=tls))


def test_tls_with_a_client_certificate(authority: Authority) -> None:
    own = authority.issue("client")
    tls = TlsConfig(ca_file=str(authority.ca_file), cert_file=str(own.cert), key_file=str(own.key))
    with tls_broker(authority, mutual=True) as broker:
        with Rider(broker.port, tls=tls) as rider:
            rider.reply("x")
            rider.wait_up()
            rider.wait(Taken)
        without = TlsConfig(ca_file=str(authority.ca_file))
        with Rider(broker.port, tls=without) as rider:
            assert rider.wait(Disconnected).code in {"tls", "connection_lost", "unreachable"}


@pytest.mark.parametrize(
    ("dates", "code", "word", "patient"),
    [
        ((-2 * DAY_S, -DAY_S), "tls_certificate", "expired", True),
        ((DAY_S, 2 * DAY_S), "tls_not_yet_valid", "not yet valid", False),
    ],
)
def test_certificate_with_wrong_dates(
    authority: Authority, dates: tuple[float, float], code: str, word: str, *, patient: bool
) -> None:
    tls = TlsConfig(ca_file=str(authority.ca_file))
    with tls_broker(authority, dates) as broker, Rider(broker.port, tls=tls) as rider:
        lost = rider.wait(Disconnected)
        assert (lost.code, word in lost.reason) == (code, True)
        # A clock before NTP mends itself, so that one is tried again soon.
        assert (lost.retry_in_s >= 30.0) is patient
    insecure = TlsConfig(insecure=True)
    with tls_broker(authority, dates) as broker, Rider(broker.port, tls=insecure) as rider:
        rider.wait_up()


def test_certificate_of_another_authority(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other CA")
    tls = TlsConfig(ca_file=str(other.ca_file))
    with tls_broker(authority) as broker, Rider(broker.port, tls=tls) as rider:
        assert rider.wait(Disconnected).code == "tls_certificate"


def test_tls_where_the_broker_speaks_none_and_files_that_are_not_there(tmp_path: Path) -> None:
    with Broker() as broker:
        with Rider(broker.port, tls=TlsConfig(insecure=True)) as rider:
            assert rider.wait(Disconnected).code in {"tls", "timeout", "unreachable"}
        with Rider(broker.port, tls=TlsConfig(ca_file=str(tmp_path / "no"))) as rider:
            assert rider.wait(Disconnected).code == "tls_files"


@pytest.mark.parametrize("protocol", [5, 311])
def test_wrong_password_waits_and_never_shows(
    protocol: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    options = BrokerOptions(users={"edged": "right"})
    with Broker(options) as broker:
        with Rider(broker.port, username="edged", password=SECRET, protocol=protocol) as rider:
            lost = rider.wait(Disconnected)
            assert lost.code == "not_authorised"
            assert lost.retry_in_s >= 30.0
            shown = repr(rider.session) + repr(vars(rider.session)["_desk"]) + repr(lost)
        assert broker.log().count("not authorised") == 1
        with Rider(broker.port, username="edged", password=b"right") as rider:
            rider.wait_up()
    shown += caplog.text + "".join(capfd.readouterr())
    assert "hunter2" not in shown


def test_acl_that_forbids_a_reply_is_told_and_final() -> None:
    options = BrokerOptions(acl=("topic readwrite edged/test/availability", "topic read #"))
    with Broker(options) as broker, Rider(broker.port) as rider:
        rider.wait_up()
        rider.reply("x")
        taken = rider.wait(Taken)
        assert (taken.tag, taken.refused) == ("x", "Not authorized")
        assert rider.wait(Refused).topic == "edged/test/reply/x"
        assert rider.session.connected


def dynamic_security(path: Path, *, subscribe: bool) -> Sequence[str]:
    access = {
        "publishClientSend": True,
        "publishClientReceive": True,
        "subscribe": subscribe,
        "unsubscribe": True,
    }
    control = {"acltype": "publishClientSend", "topic": "$CONTROL/#", "allow": True}
    rules = {
        "defaultACLAccess": access,
        "roles": [{"rolename": "admin", "acls": [control]}],
        "groups": [{"groupname": "all", "roles": [{"rolename": "admin"}]}],
        "anonymousGroup": "all",
    }
    path.write_text(json.dumps(rules))
    return (f"plugin {DYNAMIC_SECURITY}", f"plugin_opt_config_file {path}")


@pytest.mark.skipif(not DYNAMIC_SECURITY.exists(), reason="mosquitto has no ACL plugin here")
@pytest.mark.parametrize("protocol", [5, 311])
def test_refused_subscriptions_are_named_and_asked_for_again(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "RESUBSCRIBE_S", 0.2)
    lines = tuple(dynamic_security(tmp_path / "rules.json", subscribe=False))
    with (
        Broker(BrokerOptions(extra=lines)) as broker,
        Rider(broker.port, protocol=protocol) as rider,
        TestClient(broker.port) as client,
    ):
        up: Connected = rider.wait_up()
        wanted = set(rider.topics.subscriptions())
        assert set(up.refused) == wanted
        assert {e.topic for e in rider.of(Refused)} == wanted
        assert rider.session.connected
        allow = {"acltype": "subscribe", "allow": True}
        command = {"command": "setDefaultACLAccess", "acls": [allow]}
        client.publish("$CONTROL/dynamic-security/v1", json.dumps({"commands": [command]}))
        rider.wait(Granted, count=len(wanted))
        assert len(rider.of(Refused)) == len(wanted)


def test_3_1_1_answers_too() -> None:
    with Broker() as broker, Witness(broker.port) as witness:
        with Rider(broker.port, protocol=311, answer=True) as rider:
            assert not rider.wait_up().session_present
            witness.publish("edged/test/request", "old")
            witness.wait_topic("edged/test/reply/old")
            rider.wait(Taken)
        with Rider(broker.port, protocol=311) as rider:
            assert rider.wait_up().session_present
        witness.wait(lambda r: r.payload == b"offline", count=2)
        assert "p4" in broker.log() or "p2" in broker.log()
