"""What a variant takes of memory, and how much of it there is."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import msgspec

from edged.models import buffers
from edged.models.figures import NO_FLASH, stored_as
from edged.models.repacking import droppable_bytes, output_copy, repacked_bytes

if TYPE_CHECKING:
    from edged.models.facts import DeviceFacts
    from edged.models.figures import KvType
    from edged.models.gguf import Header
    from edged.models.metadata import Geometry

# Bytes of one element as (numerator, denominator): q8_0 stores 32 of them and a scale in 34.
_ELEMENT = MappingProxyType({"f16": (2, 1), "q8_0": (34, 32)})
MIB = 1 << 20
GIB = 1 << 30
CELLS = 256  # llama.cpp rounds the context up to a multiple of it
# The reserve for the rest of the house: a share of the memory, within bounds.
RESERVE_SHARE = 16
RESERVE_LEAST, RESERVE_MOST = 256 * MIB, GIB
# The child without a model: interpreter and libraries, half of it mapped from files; this and the
# next two were measured with the models of bench/fit.py.
PROCESS = 32 * MIB
# Of a token: its text and its entry in llama.cpp's tables, and in Python's of special ones.
TOKEN_BYTES = 150
# Of a tensor: its name and its entries in llama.cpp's tables.
TENSOR_BYTES = 1600
MAX_THREADS = 4  # a Pi 5 has four cores; more threads wait for memory, not for work
# Where what is kept stays in the context: attention of every step looks at each used cell, if only
# to pass it over. 16,384 full cells read prompts at 0.6 and decode at 0.85 of an empty cache (4
# layers, 2 cores), 4,096 at 0.95. Those are a few long system prompts, or a dozen of usual length.
MAX_PREFIX_TOKENS = 4096


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is to be loaded, as far as memory depends on it.

    Attributes:
        context: Tokens of prompt and answer together of one run.
        streams: Runs side by side, at least 1.
        kv_type: Of the cached keys and values.
        prefix_tokens: Room for kept beginnings of prompts in the context, in tokens.
        prefix_bytes: Memory for those that are copied out of it instead, where there is attention
            only; then the context has room for one run more and no `prefix_tokens`.
        prefill_chunk: Prompt tokens of one step at most.
        threads: Of prefill; each has a work space.
        repack: Weights are rearranged for this CPU where llama.cpp can.
        flash_attention: Scores of attention are not written out; `auto` uses it on CPUs.
        features: Of the CPU, see `DeviceFacts.cpu_features`.
    """

    context: int = 2048
    streams: int = 1
    kv_type: Literal["f16", "q8_0"] = "f16"
    prefix_tokens: int = MAX_PREFIX_TOKENS
    prefix_bytes: int = 0
    prefill_chunk: int = 512
    threads: int = MAX_THREADS
    repack: bool = True
    flash_attention: bool = True
    features: tuple[str, ...] = ()


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a variant takes of memory.

    Attributes:
        weights: Of the file, mapped; those that are rearranged are counted there.
        repacked: Of weights that are rearranged: anonymous memory instead of the map.
        kv: Keys and values of the streams, or recurrent states.
        prefix: Keys and values of kept beginnings of prompts, in the context and outside.
        compute: The engine's buffers of a step.
        overhead: The process itself: interpreter, libraries, vocabulary.
        droppable: Pages of the map that nobody reads after loading, for their weights were
            rearranged. They are resident until the kernel wants their room, and no part of
            `total`.
    """

    weights: int
    repacked: int = 0
    kv: int = 0
    prefix: int = 0
    compute: int = 0
    overhead: int = 0
    droppable: int = 0

    @property
    def total(self) -> int:
        """Bytes in all."""
        parts = (self.weights, self.repacked, self.kv, self.prefix, self.compute, self.overhead)
        return sum(parts)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of memory that may be used.

    Attributes:
        have: The least of all limits, less the reserve for the rest of the house.
        limit: Which one it is: `memory`, `cgroup` or `cap`.
        reserve: Bytes that were taken off.
    """

    have: int
    limit: str
    reserve: int = 0


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a variant has room here."""

    need: Need
    budget: Budget

    @property
    def ok(self) -> bool:
        """Whether it does."""
        return self.need.total <= self.budget.have


def need(header: Header, setup: Setup) -> Need:
    """What a file takes when it is loaded like that, its map and all buffers touched.

    Args:
        header: Of the file.
        setup: How it is loaded.
    """
    model = header.geometry
    size = header.data_offset + header.tensor_bytes
    rearranged = repacked_bytes(header, setup.features) if setup.repack else 0
    copy = output_copy(header, setup.features) if setup.repack else 0
    context = min(setup.context, model.n_ctx_train)
    outside = 0 if model.state_width else setup.prefix_bytes
    prefix = context if outside else max(setup.prefix_tokens, context)
    cells = _padded(setup.streams * context + prefix)
    per_token = kv_bytes_per_token(model, setup.kv_type)
    return Need(
        weights=size - rearranged,
        repacked=rearranged + copy,
        kv=(cells - prefix) * per_token + _states(model, setup.streams),
        prefix=prefix * per_token + outside,
        compute=buffers.compute_bytes(header, setup, cells),
        overhead=PROCESS + TOKEN_BYTES * model.n_vocab + TENSOR_BYTES * len(header.tensors),
        droppable=droppable_bytes(header, setup.features) if setup.repack else 0,
    )


def keeping(setup: Setup, kind: KvType) -> Setup:
    """The same with keys and values kept and read in that way."""
    return msgspec.structs.replace(setup, kv_type=stored_as(kind), flash_attention=kind != NO_FLASH)


def budget(
    facts: DeviceFacts, held: int = 0, cap: int | None = None, reserve: int | None = None
) -> Budget:
    """How much memory a variant may take.

    Args:
        facts: Of the board, now.
        held: Bytes that our child has now and would give back: what is resident of it.
        cap: The most that the configuration allows us; None is no cap.
        reserve: Bytes for the rest of the house; None is a sixteenth of the memory, 256 MiB to
            1 GiB. A cap of our own needs none.
    """
    if reserve is None:
        reserve = default_reserve(facts.ram_bytes)
    limits = [("memory", min(facts.available_bytes + held, facts.ram_bytes) - reserve, reserve)]
    if facts.cgroup_limit_bytes is not None:
        # What others in the group hold is theirs; page cache that is charged to it can go.
        used = max(0, (facts.cgroup_used_bytes or 0) - held)
        limits.append(("cgroup", facts.cgroup_limit_bytes - used - reserve, reserve))
    if cap is not None:
        limits.append(("cap", cap, 0))
    limit, have, taken = min(limits, key=lambda each: each[1])
    return Budget(have=max(0, have), limit=limit, reserve=taken)


def default_reserve(ram_bytes: int) -> int:
    """Bytes left for the rest of the house on a board of so much memory."""
    return min(RESERVE_MOST, max(RESERVE_LEAST, ram_bytes // RESERVE_SHARE))


def kv_bytes_per_token(geometry: Geometry, kv_type: str) -> int:
    """Bytes of cached keys and values of one token, over all blocks.

    Args:
        geometry: Blocks without attention have no heads and count nothing.
        kv_type: f16 or q8_0.
    """
    width = geometry.key_length + geometry.value_length
    numerator, denominator = _ELEMENT[kv_type]
    return sum(geometry.head_counts_kv) * width * numerator // denominator


def tokens_in(mib: int, per_token: int, most: int) -> int:
    """Tokens for which `mib` MiB have room, at most `most`.

    A model without attention keeps whole states, whatever their number of tokens: `most`, if there
    is any room at all.
    """
    if mib == 0 or per_token == 0:
        return most if mib else 0
    return min(most, mib * MIB // per_token)


def _padded(cells: int) -> int:
    return -(-cells // CELLS) * CELLS


def _states(model: Geometry, streams: int) -> int:
    """Bytes of recurrent states: one for each sequence there may be."""
    sequences = buffers.sequences(streams, recurrent=model.state_width > 0)
    return sum(model.recurrent) * model.state_width * buffers.F32 * sequences
