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
    return ask_all(client, node, (prompt,), tokens, system=system)[0]


def ask_all(
    client: TestClient,
    node: str,
    prompts: Sequence[str],
    tokens: int,
    *,
    system: str | None = None,
) -> list[Asked]:
    """Like `ask`, with all prompts sent at once.

    Raises:
        TimeoutError: A terminal reply did not come.
    """
    client.records.clear()
    begun = []
    for prompt in prompts:
        name, payload = request(prompt, tokens, system=system)
        begun.append((name, time.monotonic()))
        client.publish(f"edged/{node}/request", payload, wait=False)
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    ends = [_wait(client, f"edged/{node}/reply/{name}", deadline) for name, _ in begun]
    records = list(client.records)
    return [
        read(records, f"edged/{node}/stream/{name}", sent, end)
        for (name, sent), end in zip(begun, ends, strict=True)
    ]


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


def _wait(client: TestClient, topic: str, deadline: float) -> Record:
    while time.monotonic() < deadline:
        found = client.on(topic)
        if found:
            return found[0]
        time.sleep(POLL_S)
    message = f"no message on {topic}"
    raise TimeoutError(message)
