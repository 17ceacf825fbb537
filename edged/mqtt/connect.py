"""A fresh paho client for one connection, and the names of what can go wrong with it."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

from paho.mqtt import properties as paho_properties
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edged.mqtt.failure import CLOSED_PORT, Failure
from edged.mqtt.gather import GatheringClient
from edged.mqtt.packet import MAX_PACKET_BYTES, Incoming

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

    from edged.mqtt.packet import Outgoing
    from edged.mqtt.topics import Topics
    from edged.settings import MqttConfig, TlsConfig

OFFLINE = b"offline"
ONLINE = b"online"
WILL_QOS = 1
# paho waits one keepalive before it pings and another one for the answer. With 0.65 of ours
# on the wire a dead line shows within 1.3 times ours and our look at the clock, and the
# broker publishes the will within 1.5 x 0.65 = 0.98 times ours.
KEEPALIVE_SHARE = 0.65


def _read_text(buffer: bytes, room: int) -> tuple[str, int]:
    """A length-prefixed text of a property, and the bytes it takes."""
    end = 2 + int.from_bytes(buffer[:2], "big")
    if room < 2 or end > room:  # noqa: PLR2004 - the length's own two bytes
        message = "a text that is cut off"
        raise ValueError(message)
    return buffer[2:end].decode(), end


# paho calls U+FEFF malformed, which MQTT 5 allows (1.5.4-3) and mosquitto passes on: one
# message with it, sent again at each reconnect, would keep us from the broker for good.
paho_properties.readUTF = _read_text


def keepalive(config: MqttConfig) -> int:
    """Seconds to announce to the broker and to paho."""
    return max(1, int(config.keepalive_s * KEEPALIVE_SHARE))


def build(config: MqttConfig, topics: Topics, password: bytes | None) -> GatheringClient:
    """A client ready to connect, without callbacks.

    Raises:
        OSError: A file named for TLS cannot be read or is not what it should be.
    """
    five = config.protocol == 5  # noqa: PLR2004 - the protocol's name is a number
    client = GatheringClient(
        CallbackAPIVersion.VERSION2,
        client_id=config.client_id or f"edged-{topics.node}",
        clean_session=None if five else False,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = config.connect_timeout_s
    client.max_inflight_messages = 0  # our outbox keeps the window, paho shall not queue
    client.will_set(topics.availability, OFFLINE, WILL_QOS, retain=True)
    if config.username is not None:
        # paho takes bytes; its annotation knows only text.
        client.username_pw_set(config.username, password)  # type: ignore[arg-type]
    if config.tls is not None:
        client.tls_set_context(tls_context(config.tls))
        client.tls_insecure_set(config.tls.insecure)
    return client


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, which paho leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as inherited
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """What TLS checks and shows.

    Raises:
        OSError: A file cannot be read or is not what it should be.
    """
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.sslsocket_class = _TidySocket
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


def open_line(client: Client, config: MqttConfig, receive_maximum: int) -> None:
    """Connect TCP and TLS and queue the CONNECT; blocks for at most the connect timeout.

    The timeout holds for each address of the host, and again for TLS.

    Raises:
        OSError: No connection.
        ValueError: The host is not a name.
    """
    alive = keepalive(config)
    if config.protocol != 5:  # noqa: PLR2004 - the protocol's name is a number
        client.connect(config.host, config.port, alive)
        return
    properties = make_properties(
        PacketTypes.CONNECT,
        SessionExpiryInterval=config.session_expiry_s or None,
        ReceiveMaximum=min(receive_maximum, 65_535),
        MaximumPacketSize=MAX_PACKET_BYTES,
    )
    client.connect(config.host, config.port, alive, clean_start=False, properties=properties)


def make_properties(kind: int, **values: object) -> Properties:
    """MQTT 5 properties by paho's names; None leaves one out."""
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        if value is not None:
            setattr(properties, name, value)
    return properties


def publish_properties(outgoing: Outgoing) -> Properties | None:
    """The properties of a PUBLISH; None if it has none, for paho makes tables for each one."""
    values = {
        "CorrelationData": outgoing.correlation,
        "ContentType": outgoing.content_type,
        "MessageExpiryInterval": outgoing.expiry_s,
    }
    if all(value is None for value in values.values()):
        return None
    return make_properties(PacketTypes.PUBLISH, **values)


def incoming(message: MQTTMessage, connection: int) -> Incoming:
    """A message in our own terms."""
    properties: Any = message.properties  # None with 3.1.1; attributes exist only where sent
    return Incoming(
        topic=message.topic,
        payload=bytes(message.payload),
        qos=message.qos,
        retain=bool(message.retain),
        dup=bool(message.dup),
        mid=message.mid,
        connection=connection,
        response_topic=getattr(properties, "ResponseTopic", None),
        correlation=getattr(properties, "CorrelationData", None),
        expiry_s=getattr(properties, "MessageExpiryInterval", None),
        content_type=getattr(properties, "ContentType", None),
        user=tuple((key, value) for key, value in getattr(properties, "UserProperty", ())),
    )


def explain(error: Exception, config: MqttConfig) -> Failure:
    """The failure behind what `build` or `open_line` raised."""
    where = f"{config.host}:{config.port}"
    refusal = False
    match error:
        case ssl.SSLCertVerificationError():
            # With the clock before NTP a good certificate is "not yet valid": that passes.
            refusal = "not yet valid" not in error.verify_message
            code = "tls_certificate" if refusal else "tls_not_yet_valid"
            text = f"the certificate of {where} is refused: {error.verify_message}"
        case ssl.SSLError():
            code, text = "tls", f"no TLS with {where}: {error}"
        case socket.gaierror():
            code, text = "dns", f"the name {config.host} cannot be resolved: {error.strerror}"
        case TimeoutError():
            code = "timeout"
            text = f"{where} does not answer within {config.connect_timeout_s:g} s"
        case ConnectionRefusedError():
            code, text = CLOSED_PORT, f"nothing listens on {where}"
        case FileNotFoundError() | PermissionError() | IsADirectoryError():
            code, text, refusal = "tls_files", f"no TLS file can be read: {error.strerror}", True
        case OSError():
            code, text = "unreachable", f"{where} cannot be reached: {error.strerror or error}"
        case _:
            code, text, refusal = "bad_host", f"{where} is no address: {error}", True
    return Failure(code=code, text=text, refusal=refusal)
