"""What the whole model proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bench.report import Figure, Result, Series, judged, median, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.footprint import Footprint

RATIO_GOAL: Final = ">= 0.98"
DISK_GOAL: Final = "<= 200"  # ms beyond what the same costs from memory
GB: Final = 1e9
MB: Final = 1e6


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The worker and llama-bench by turns, in tok/s.

    Attributes:
        tg: Decoding by the worker.
        pp: Reading by the worker.
        tg_bench: Decoding by llama-bench.
        pp_bench: Reading by llama-bench.
        load_s: From the start of the worker until it was ready.
    """

    tg: float
    pp: float
    tg_bench: float
    pp_bench: float
    load_s: float


class Persona(msgspec.Struct, frozen=True, kw_only=True):
    """A long system prompt and short questions, with one type of cache.

    Attributes:
        kv_type: Of keys and values.
        tokens: Of the system prompt.
        state_bytes: Its state on the disk.
        save_s: Time to take the state out of the worker and write it.
        restore_ms: Time to take it from the disk into a new worker.
        cold_ms: TTFT of the first question to a worker that knows nothing.
        memory_ms: TTFT of further questions.
        disk_ms: TTFT of the first questions after the state was restored.
    """

    kv_type: str
    tokens: int
    state_bytes: int
    save_s: float
    restore_ms: float
    cold_ms: float
    memory_ms: tuple[float, ...]
    disk_ms: tuple[float, ...]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured.

    Attributes:
        rounds: Beside llama-bench.
        personas: For each type of cache.
        peak: Memory of the worker, the largest of every kind.
        bandwidth: Read bandwidth of memory, in GB/s.
        token_bytes: Weights that a token reads, in bytes.
    """

    rounds: tuple[Round, ...]
    personas: tuple[Persona, ...]
    peak: Footprint
    bandwidth: float
    token_bytes: int


def judge(found: Found, conditions: dict[str, str | float]) -> Result:
    """Turn what was measured into figures."""
    return Result(
        figures=(
            *_rates(found),
            *_roofline(found),
            *_memory(found.peak),
            *(figure for persona in found.personas for figure in _persona(persona)),
        ),
        conditions=conditions,
        series=(
            _series("decode, edged", [one.tg for one in found.rounds]),
            _series("decode, llama-bench", [one.tg_bench for one in found.rounds]),
            _series("prefill, edged", [one.pp for one in found.rounds]),
            _series("prefill, llama-bench", [one.pp_bench for one in found.rounds]),
        ),
    )


def _rates(found: Found) -> Iterator[Figure]:
    rounds = found.rounds
    tg = median(one.tg / one.tg_bench for one in rounds)
    pp = median(one.pp / one.pp_bench for one in rounds)
    yield judged("decode, edged / llama-bench, median", tg, RATIO_GOAL)
    yield judged("prefill, edged / llama-bench, median", pp, RATIO_GOAL)
    yield told("decode, edged", median(one.tg for one in rounds), "tok/s")
    yield told("decode, llama-bench", median(one.tg_bench for one in rounds), "tok/s")
    yield told("prefill, edged", median(one.pp for one in rounds), "tok/s")
    yield told("prefill, llama-bench", median(one.pp_bench for one in rounds), "tok/s")
    yield told("start to ready, median", median(one.load_s for one in rounds), "s")


def _roofline(found: Found) -> Iterator[Figure]:
    ceiling = found.bandwidth * GB / found.token_bytes
    rate = median(one.tg for one in found.rounds)
    yield told("read bandwidth of memory", found.bandwidth, "GB/s")
    yield told("weights a token reads", found.token_bytes / GB, "GB")
    yield told("roofline of decode", ceiling, "tok/s")
    yield told("decode / roofline", rate / ceiling if rate is not None else None)


def _memory(peak: Footprint) -> Iterator[Figure]:
    yield told("memory of the worker, resident at most", peak.peak / GB, "GB")
    yield told("memory of the worker, anonymous", peak.anonymous / GB, "GB")
    yield told("memory of the worker, mapped files", peak.file / GB, "GB")


def _persona(persona: Persona) -> Iterator[Figure]:
    name = f"persona of {persona.tokens:,} tokens, {persona.kv_type}"
    memory, disk = median(persona.memory_ms), median(persona.disk_ms)
    beyond = None if memory is None or disk is None else disk + persona.restore_ms - memory
    yield told(f"{name}: TTFT cold", persona.cold_ms / 1e3, "s")
    yield told(f"{name}: TTFT from memory", memory, "ms")
    yield told(f"{name}: restore from disk", persona.restore_ms, "ms")
    yield told(f"{name}: TTFT after that", disk, "ms")
    yield judged(f"{name}: disk beyond memory", beyond, DISK_GOAL, "ms")
    yield told(f"{name}: file", persona.state_bytes / MB, "MB")
    yield told(f"{name}: save", persona.save_s, "s")


def _series(name: str, values: Sequence[float]) -> Series:
    return Series(name=name, unit="tok/s", values=tuple(values))
