from __future__ import annotations

import socket
import ssl

import pytest

from edged.mqtt.connect import build, explain, keepalive, publish_properties
from edged.mqtt.packet import Outgoing
from edged.mqtt.topics import Topics
from edged.settings import MqttConfig, TlsConfig

CONFIG = MqttConfig(host="broker", connect_timeout_s=3)


def certificate_error(message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "no")
    error.verify_message = message
    return error


@pytest.mark.parametrize(
    ("error", "code", "refusal"),
    [
        (certificate_error("certificate has expired"), "tls_certificate", True),
        (certificate_error("certificate is not yet valid"), "tls_not_yet_valid", False),
        (ssl.SSLError(1, "wrong version"), "tls", False),
        (socket.gaierror(-2, "Name or service not known"), "dns", False),
        (TimeoutError(), "timeout", False),
        (ConnectionRefusedError(111, "x"), "connection_refused", False),
        (FileNotFoundError(2, "No such file or directory"), "tls_files", True),
        (OSError(113, "No route to host"), "unreachable", False),
        (ValueError("Invalid host."), "bad_host", True),
    ],
)
def test_every_cause_has_a_name(error: Exception, code: str, *, refusal: bool) -> None:
    failure = explain(error, CONFIG)
    assert (failure.code, failure.refusal) == (code, refusal)
    assert code == "tls_files" or "broker" in failure.text


@pytest.mark.parametrize(("configured", "announced"), [(1, 1), (5, 3), (30, 19), (3600, 2340)])
def test_keepalive_leaves_room_for_the_answer(configured: int, announced: int) -> None:
    assert keepalive(MqttConfig(keepalive_s=configured)) == announced


def test_properties_appear_only_where_given() -> None:
    assert publish_properties(Outgoing(topic="a", payload=b"")) is None
    full = publish_properties(
        Outgoing(topic="a", payload=b"", correlation=b"", content_type="t", expiry_s=0)
    )
    assert full is not None
    assert full.json() == {  # type: ignore[no-untyped-call]
        "CorrelationData": "",
        "ContentType": "t",
        "MessageExpiryInterval": 0,
    }


def test_client_id_and_will_follow_the_node() -> None:
    client = build(CONFIG, Topics("hall"), None)
    assert client._client_id == b"edged-hall"
    assert client.will_topic == "edged/hall/availability"
    named = build(MqttConfig(client_id="me", protocol=311), Topics("hall"), None)
    assert named._client_id == b"me"


def test_system_certificates_are_trusted_by_default() -> None:
    client = build(MqttConfig(tls=TlsConfig()), Topics("hall"), None)
    assert client._ssl_context is not None
    assert client._ssl_context.verify_mode is ssl.CERT_REQUIRED
