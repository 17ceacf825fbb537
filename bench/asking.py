"""One prompt over MQTT, timed from the client's side."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec

from bench.tasks import rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.rig.client import Record, TestClient

ANSWER_TIMEOUT_S: Final = 600.0  # patience with a busy machine; a goal is not met by waiting
# The times are taken by the client's network thread, not by this loop, which would only take time
# of a core from those who compute.
POLL_S: Final = 0.05


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as its client saw it.

    Attributes:
        reply: The terminal reply, decoded.
        streamed: The deltas joined.
        sent_s: When the request was handed to the client, in monotonic seconds.
        first_s: When the first delta came.
        end_s: When the terminal reply came.
    """

    reply: dict[str, Any]
    streamed: str
    sent_s: float
    first_s: float
    end_s: float

    @property
    def tokens(self) -> int:
        """Tokens in the answer."""
        return int(self.reply.get("usage", {}).get("completion_tokens", 0))

    @property
    def prompt_tokens(self) -> int:
        """Tokens in the prompt."""
        return int(self.reply.get("usage", {}).get("prompt_tokens", 0))

    @property
    def tokens_per_second(self) -> float:
        """All tokens but the first, over the time from the first delta to the reply."""
        return rate(self.tokens, (self.end_s - self.first_s) * 1e3)

    @property
    def cached_tokens(self) -> int:
        """Tokens of the prompt that were not read again."""
        return int(self.reply.get("usage", {}).get("cached_tokens", 0))

    @property
    def read_tokens(self) -> int:
        """Tokens of the prompt that were."""
        return self.prompt_tokens - self.cached_tokens

    @property
    def ttft_ms(self) -> float:
        """From PUBLISH to the first delta."""
        return (self.first_s - self.sent_s) * 1e3

    @property
    def added_ms(self) -> float:
        """From PUBLISH to the first delta, less the engine's own time to its first token."""
        return self.ttft_ms - float(self.timing("ttft_ms"))

    def timing(self, name: str) -> float:
        """One of the reply's timings; not a number if the reply lacks it."""
        value = self.reply.get("timings", {}).get(name)
        return float("nan") if value is None else float(value)


def subscribe(client: TestClient, node: str, *, streams: bool = True) -> None:
    """Listen to what every answer of a node says, to the end of it or all the time."""
    client.subscribe(f"edged/{node}/reply/+")
    if streams:
        client.subscribe(f"edged/{node}/stream/+", qos=0)


def request(prompt: str, tokens: int, *, system: str | None = None) -> tuple[str, bytes]:
    """The id and the payload of a request for a greedy answer that is streamed."""
    name = uuid4().hex
    fields = {"id": name, "prompt": prompt, "max_tokens": tokens, "stream": True}
    greedy = {"temperature": 0, "repeat_penalty": 1, "seed": 1}  # as llama.cpp's programs decode
    before = {"system": system} if system else {}
    return name, msgspec.json.encode({**fields, **greedy, **before})


def ask(
    client: TestClient, node: str, prompt: str, tokens: int, *, system: str | None = None
) -> Asked:
    """Ask greedily for `tokens` tokens and wait for the terminal reply.

    Raises:
        TimeoutError: No terminal reply came.
    """
    asking = Asking(client, node, (prompt,), tokens, system=system)
    asking.over(ANSWER_TIMEOUT_S)
    return asking.answers()[0]


class Asking:
    """Prompts that are sent at once when it is made.

    Args:
        client: Listens to the node's answers, and to nobody else's meanwhile.
        node: Of the topics.
        prompts: One for each request.
        tokens: Of each answer.
        system: Before each prompt.
    """

    def __init__(
        self,
        client: TestClient,
        node: str,
        prompts: Sequence[str],
        tokens: int,
        *,
        system: str | None = None,
    ) -> None:
        self._client = client
        self._node = f"edged/{node}"
        self._begun: list[tuple[str, float]] = []
        client.records.clear()
        for prompt in prompts:
            name, payload = request(prompt, tokens, system=system)
            self._begun.append((name, time.monotonic()))
            client.publish(f"{self._node}/request", payload, wait=False)

    def over(self, timeout_s: float) -> bool:
        """Whether all terminal replies came, after so many seconds at most."""
        deadline = time.monotonic() + timeout_s
        while not all(self._end(name) for name, _ in self._begun):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def answers(self) -> list[Asked]:
        """What came, in the order of the prompts.

        Raises:
            TimeoutError: A terminal reply did not come.
        """
        records = list(self._client.records)
        return [self._answer(records, name, sent) for name, sent in self._begun]

    def _answer(self, records: list[Record], name: str, sent: float) -> Asked:
        end = self._end(name)
        if end is None:
            message = f"no message on {self._node}/reply/{name}"
            raise TimeoutError(message)
        return read(records, f"{self._node}/stream/{name}", sent, end)

    def _end(self, name: str) -> Record | None:
        found = self._client.on(f"{self._node}/reply/{name}")
        return found[0] if found else None


def read(records: list[Record], stream: str, sent_s: float, end: Record) -> Asked:
    """Make sense of the messages of one answer."""
    deltas = [(record.at, record.json()) for record in records if record.topic == stream]
    spoken = [(at, delta["delta"]) for at, delta in deltas if delta.get("delta")]
    return Asked(
        reply=end.json(),
        streamed="".join(text for _, text in spoken),
        sent_s=sent_s,
        first_s=spoken[0][0] if spoken else end.at,
        end_s=end.at,
    )
