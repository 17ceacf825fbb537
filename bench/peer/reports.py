"""What llama-bench and llama-server say, decoded."""

from __future__ import annotations

import statistics
from typing import Final

import msgspec

EVENT: Final = b"data: "
LAST: Final = b"[DONE]"  # of a chat


class BenchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One test of llama-bench, by its own names.

    Attributes:
        n_prompt: Tokens read.
        n_gen: Tokens decoded.
        n_depth: Tokens that the context held before.
        samples_ns: Nanoseconds of each repetition.
        n_threads: Threads of both.
        n_batch: Tokens of one decode call at most.
        n_ubatch: Tokens computed at once at most.
        type_k: Type of the cached keys.
        type_v: Type of the cached values.
        repack: Whether weights are rearranged for this CPU.
        cpu_info: What computed.
    """

    n_prompt: int
    n_gen: int
    n_depth: int
    samples_ns: tuple[int, ...]
    n_threads: int
    n_batch: int
    n_ubatch: int
    type_k: str
    type_v: str
    repack: bool
    cpu_info: str = ""

    @property
    def tokens_per_second(self) -> float:
        """Of the middle repetition."""
        return (self.n_prompt + self.n_gen) / statistics.median(self.samples_ns) * 1e9


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """How long llama-server says that it took.

    Attributes:
        cache_n: Prompt tokens it knew.
        prompt_n: Prompt tokens it read.
        prompt_ms: Time for them.
        predicted_n: Tokens decoded.
        predicted_ms: Time for them.
    """

    cache_n: int
    prompt_n: int
    prompt_ms: float
    predicted_n: int
    predicted_ms: float


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a streamed completion; only the last one has timings."""

    content: str = ""
    stop: bool = False
    timings: Timings | None = None


class Said(msgspec.Struct, frozen=True):
    """What an event adds to the answer of a chat; the first one tells a role alone."""

    content: str | None = None


class Option(msgspec.Struct, frozen=True):
    """One of the answers; there is never another."""

    delta: Said = Said()


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a streamed chat."""

    choices: tuple[Option, ...] = ()
    timings: Timings | None = None


def chunk(line: bytes) -> Chunk | None:
    """The event in one line of a completion's stream, if there is one."""
    data = _data(line)
    return None if data is None else msgspec.json.decode(data, type=Chunk)


def chat_chunk(line: bytes) -> Chunk | None:
    """The same of a chat's."""
    data = _data(line)
    if data is None or data == LAST:
        return None
    found = msgspec.json.decode(data, type=ChatChunk)
    text = "".join(option.delta.content or "" for option in found.choices)
    return Chunk(content=text, stop=found.timings is not None, timings=found.timings)


def _data(line: bytes) -> bytes | None:
    line = line.strip()
    return line[len(EVENT) :] if line.startswith(EVENT) else None
