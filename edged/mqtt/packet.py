"""Messages as the other rooms see them, and what a session reports."""

from __future__ import annotations

from msgspec import Struct

# Twice the largest payload that serving accepts, so that its own refusal is the one people read.
MAX_PACKET_BYTES = 256 * 1024
# Of a topic of others whose newest message we keep; what a sensor says has a few KiB at most.
MAX_FACT_BYTES = 16 * 1024
# The two bytes before a text and the four of an expiry can count no further.
MAX_TEXT_BYTES = 65_535
MAX_EXPIRY_S = 2**32 - 1
# More than the fixed header, the topic's length, the packet id and the properties we set.
PACKET_OVERHEAD_BYTES = 64


class Incoming(Struct, frozen=True, kw_only=True):
    """A message that arrived.

    Attributes:
        connection: The number of the connection that brought it; an acknowledgement over
            another connection is void.
        mid: The broker's packet id on that connection; 0 with QoS 0.
        dup: The broker says it sent this before.
        retain: It was kept by the broker, not sent just now.
        expiry_s: Seconds it is still good for; None without a limit.
        user: MQTT 5 user properties in order.
        size: Bytes that the payload had, where it was too large to be passed on; else None.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    mid: int
    connection: int
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry_s: int | None = None
    content_type: str | None = None
    user: tuple[tuple[str, str], ...] = ()
    size: int | None = None


class Outgoing(Struct, frozen=True, kw_only=True):
    """A message to send.

    Attributes:
        correlation: Echoed verbatim.
        expiry_s: Seconds the broker keeps it for an absent subscriber.
        tag: Makes it a terminal reply: never dropped, sent exactly once, told when taken.
            It must be the same after a restart.
        urgent: A terminal reply that goes before everything that waits without it.

    Raises:
        ValueError: It cannot be published: a topic with wildcards, a field out of range.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    correlation: bytes | None = None
    content_type: str | None = None
    expiry_s: int | None = None
    tag: str | None = None
    urgent: bool = False

    def __post_init__(self) -> None:
        wild = {"+", "#", "\0"} & set(self.topic)
        if not self.topic or wild or len(self.topic.encode()) > MAX_TEXT_BYTES:
            message = f"cannot publish on {self.topic[:100]!r}"
            raise ValueError(message)
        fields = (self.correlation or b"", (self.content_type or "").encode())
        if any(len(field) > MAX_TEXT_BYTES for field in fields):
            message = "correlation data or content type is too long"
            raise ValueError(message)
        if self.expiry_s is not None and not 0 <= self.expiry_s <= MAX_EXPIRY_S:
            message = f"expiry of {self.expiry_s} s"
            raise ValueError(message)
        if self.tag is not None and (self.qos != 1 or self.retain):
            message = "a terminal reply has QoS 1 and is not retained"
            raise ValueError(message)
        if self.urgent and self.tag is None:
            message = "only a terminal reply is urgent"
            raise ValueError(message)

    @property
    def size(self) -> int:
        """Bytes on the wire, rounded up."""
        texts = (self.topic, self.content_type or "")
        body = len(self.payload) + len(self.correlation or b"")
        return body + sum(len(text.encode()) for text in texts) + PACKET_OVERHEAD_BYTES


class Connected(Struct, frozen=True, kw_only=True):
    """The broker has us: subscribed and announced. Publish everything retained now.

    Attributes:
        session_present: The broker still knew our subscriptions and kept our messages.
        refused: Subscriptions it refused, each also told by `Refused`.
    """

    connection: int
    session_present: bool
    refused: tuple[str, ...] = ()


class Settled(Struct, frozen=True, kw_only=True):
    """What the broker retains on topics of others has arrived; told where there are such."""

    connection: int


class Disconnected(Struct, frozen=True, kw_only=True):
    """No connection; told once per cause, not once per attempt.

    Attributes:
        code: The cause as a word, see `edged.mqtt.failure`.
        reason: The cause as a sentence without secrets.
        retry_in_s: Seconds until the next attempt.
    """

    code: str
    reason: str
    retry_in_s: float


class Taken(Struct, frozen=True, kw_only=True):
    """The broker's last word on the reply with this tag.

    Attributes:
        refused: Why the broker will never take it; None if it took it.
    """

    tag: str
    refused: str | None = None


class Refused(Struct, frozen=True, kw_only=True):
    """The broker refuses a subscription or a publication on this topic."""

    topic: str
    reason: str


class Granted(Struct, frozen=True, kw_only=True):
    """A subscription that was refused before is granted now."""

    topic: str


SessionEvent = Incoming | Connected | Settled | Disconnected | Taken | Refused | Granted
