"""The topic tree: what we read, what we write, and where a stranger may send us."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["request", "cancel", "command", "house", "info", "fact"]

NODE = re.compile(r"[a-z0-9_-]{1,32}")
# What may stand in a topic as it is. Anything else is replaced by its digest, so that an id
# from the wire can neither add a level nor a wildcard.
PLAIN_LEVEL = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}")
DIGEST_BYTES = 16
# MQTT allows 65,535 bytes; nobody needs them, and every subscriber's broker walks the levels.
MAX_REPLY_TOPIC_BYTES = 256
MAX_REPLY_TOPIC_LEVELS = 8
ROOT = "edged"
# Every node of a fleet reads this one, so a reply there would be answered in turn.
FLEET_REQUEST = f"{ROOT}/any/request"
# Who asks there does not know who will answer, so all answer in one place.
FLEET_REPLIES = f"{ROOT}/any/reply/"
SHARE = f"$share/{ROOT}/"
# A retained message on homeassistant/**/config invents entities in somebody's house.
DISCOVERY_ROOT = "homeassistant"
DISCOVERY_LEAF = "config"


class Inbound(Struct, frozen=True, kw_only=True):
    """What an incoming topic means.

    Attributes:
        kind: Which of the topics we read.
        name: The persona of a request or the verb of a command; None without one.
        shared: Any node of the fleet might have got it.
    """

    kind: Kind
    name: str | None = None
    shared: bool = False


def level(text: str) -> str:
    """`text` as one topic level: itself if harmless, else `~` and its digest."""
    if PLAIN_LEVEL.fullmatch(text):
        return text
    raw = text.encode("utf-8", "surrogatepass")
    return "~" + hashlib.blake2b(raw, digest_size=DIGEST_BYTES).hexdigest()


class Topics:
    """The topics of one node.

    Args:
        node: The node's name, `[a-z0-9_-]{1,32}`.
        reply_prefixes: Where else a request may want its reply; taken literally.
        fleet: Also read requests that any node may answer, while it is in the group.
        house: Home Assistant's discovery prefix, where it also says that it is there; None: we
            take no notice of it.
        facts: Topics of others whose newest message we keep.

    Raises:
        ValueError: `node` is not a node's name.
    """

    def __init__(
        self,
        node: str,
        reply_prefixes: Iterable[str] = (),
        *,
        fleet: bool = False,
        house: str | None = None,
        facts: Iterable[str] = (),
    ) -> None:
        if not NODE.fullmatch(node) or node == "any":
            message = f"not a node's name: {node!r}"
            raise ValueError(message)
        self.node = node
        self._base = base = f"{ROOT}/{node}/"
        self.request = base + "request"
        self.cancel = base + "cancel"
        self.command = base + "command"
        self.event = base + "event"
        self.availability = base + "availability"
        self.state = base + "state"
        self.selection = base + "selection"
        self.update = base + "update"
        self.info = base + "info"
        self.receipt = base + "receipt"
        self.house_id = f"{ROOT}_{node}"
        self._house = house or DISCOVERY_ROOT
        self.device_config = f"{self._house}/device/{self.house_id}/{DISCOVERY_LEAF}"
        self._house_status = None if house is None else f"{house}/status"
        request = Inbound(kind="request")
        # `request/+` also matches an empty persona.
        self._facts = dict.fromkeys(facts, Inbound(kind="fact"))
        self.facts = frozenset(self._facts)
        # What is retained there is wanted at each connection.
        self.kept = self.facts | {self.info}
        self._exact = {**self._facts, self.request: request, self.request + "/": request}
        self._exact[self.cancel] = Inbound(kind="cancel")
        self._exact[self.info] = Inbound(kind="info")
        if fleet:
            self._exact[FLEET_REQUEST] = Inbound(kind="request", shared=True)
        if self._house_status is not None:
            self._exact[self._house_status] = Inbound(kind="house")
        self._named: dict[str, Kind] = {self.request: "request", self.command: "command"}
        self._replies = base + "reply/"
        shared = (FLEET_REPLIES,) if fleet else ()
        self._prefixes = (self._replies, *shared, *reply_prefixes)

    def subscriptions(self) -> dict[str, int]:
        """The filters to subscribe to, each with its QoS.

        Cancels and commands have QoS 0: with 1 they would wait in the broker behind every
        request that our Receive Maximum holds back, which is when they are needed most.
        """
        asked = {self.request: 1, f"{self.request}/+": 1}
        # Our own info, because another edged of our name would publish there, too.
        told = {self.cancel: 0, f"{self.command}/+": 0, self.info: 0}
        if self._house_status is not None:
            told[self._house_status] = 0
        # These with QoS 0 as well: where they are behind a newer one is on its way.
        return dict.fromkeys(self._facts, 0) | asked | told

    @property
    def group(self) -> str:
        """The filter whose subscribers share the fleet's requests."""
        return SHARE + FLEET_REQUEST

    def parse(self, topic: str) -> Inbound | None:
        """What a message on `topic` asks for; None if we do not read it."""
        if topic in self._exact:
            return self._exact[topic]
        head, _, name = topic.rpartition("/")
        kind = self._named.get(head)
        if kind is None or not name:
            return None
        return Inbound(kind=kind, name=name)

    def reply(self, request_id: str) -> str:
        """Where the reply goes if the request names no other topic."""
        return self._replies + level(request_id)

    def shared_reply(self, request_id: str) -> str:
        """The same for a request to the fleet."""
        return FLEET_REPLIES + level(request_id)

    def stream(self, request_id: str) -> str:
        """Where the deltas of a streamed reply go."""
        return f"{self._base}stream/{level(request_id)}"

    def progress(self, request_id: str) -> str:
        """Where a request's progress goes."""
        return f"{self._base}progress/{level(request_id)}"

    def result(self, verb: str) -> str:
        """Where a command's result goes."""
        return f"{self.command}/{level(verb)}/result"

    def component_config(self, platform: str, key: str) -> str:
        """Where one component is announced by itself."""
        return f"{self._house}/{platform}/{self.house_id}/{key}/{DISCOVERY_LEAF}"

    def announces(self, topic: str) -> bool:
        """Whether this is a topic on which we are announced."""
        levels = topic.split("/")
        return self.house_id in levels and levels[-1] == DISCOVERY_LEAF

    def may_reply_to(self, topic: str) -> bool:
        """Whether a stranger may have us publish on `topic`.

        A daemon that publishes wherever it is told is a confused deputy: it would invent
        entities in Home Assistant, or prompt itself or another node for ever.
        """
        prefix = next((p for p in self._prefixes if topic.startswith(p)), None)
        if prefix is None or topic == prefix or not _literal(topic):
            return False
        return not _spoken_for(topic, self._house) and topic not in self._exact


def _literal(topic: str) -> bool:
    """Whether it is an ordinary topic: printable, short, no wildcard, no odd level."""
    # isprintable refuses NUL, controls, line separators, bidi marks and lone surrogates.
    if not topic.isprintable() or "+" in topic or "#" in topic or topic.startswith("$"):
        return False
    levels = topic.split("/")
    if len(levels) > MAX_REPLY_TOPIC_LEVELS or any(x in {"", ".", ".."} for x in levels):
        return False
    return len(topic.encode()) <= MAX_REPLY_TOPIC_BYTES


def _spoken_for(topic: str, house: str) -> bool:
    """Whether the topic has a meaning of its own, for any node or for Home Assistant."""
    levels = topic.split("/")
    if levels[0] == ROOT:
        return len(levels) < 4 or levels[2] != "reply"  # noqa: PLR2004 - edged/<node>/reply/<id>
    roots = (f"{DISCOVERY_ROOT}/", f"{house}/")
    return topic.startswith(roots) and levels[-1] == DISCOVERY_LEAF
