"""Speeds of a model file on a board: predicted from its header, or measured."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

Stored: TypeAlias = Literal["f16", "q8_0"]
# How keys and values are kept and read: as f16 also without flash attention, which writes scores
# out and takes memory for them, and was faster behind long contexts and slower behind short ones.
KvType: TypeAlias = Literal["f16", "q8_0", "f16-nofa"]
NO_FLASH: Final = "f16-nofa"
KINDS: tuple[KvType, ...] = ("f16", "q8_0", NO_FLASH)  # the usual one first


class Depth(NamedTuple):
    """Decode speed behind so many tokens of context."""

    tokens: int
    tps: float


class Try(NamedTuple):
    """What one setting showed while settings were compared.

    Attributes:
        repack: Whether weights were rearranged.
        kv_type: Of the cached keys and values.
        kind: `tg` for decode, `pp` for prefill.
        threads: So many computed.
        tps: tok/s.
        depth: Tokens of context before.
    """

    repack: bool
    kv_type: str
    kind: str
    threads: int
    tps: float
    depth: int = 0


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What a file that was never loaded should do here.

    Attributes:
        tps: tok/s of decode at an empty context.
        low: The band's lower end.
        high: Its upper end.
        pp: tok/s of prefill, 512 tokens.
        slope: Seconds that each token of context adds to a decoded token.
        threads: Of decode, the number it was predicted for.
        threads_batch: Of prefill.
        repack: Whether weights are rearranged.
    """

    tps: float
    low: float
    high: float
    pp: float | None = None
    slope: float = 0.0
    threads: int
    threads_batch: int
    repack: bool


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What a file did here, in llama-bench's sense.

    Attributes:
        digest: Which file, see `edged.models.fingerprint`.
        board: Which board and build, `DeviceFacts.fingerprint`.
        tps: tok/s of tg128: 128 tokens decoded at an empty context.
        error: Standard error of `tps`, tok/s.
        pp: tok/s of pp512.
        depths: Decode at depths of context, ascending, the first one empty.
        threads: Of decode, tuned.
        threads_batch: Of prefill, tuned.
        repack: Whether weights were rearranged.
        temp_c: Degrees C at the end, if known.
        khz: Clock at the end, if known.
        began_c: Degrees C at the start, if known.
        kv_type: Of the cached keys and values.
        context: Tokens the context had room for.
        pp_error: Standard error of `pp`, tok/s.
        tries: What was compared to find threads and repack.
        build: Which engine computed.
        hot: It began or became too hot for its figures to be trusted.
        wall: Seconds since 1970.
    """

    digest: str
    board: str
    tps: float
    error: float = 0.0
    pp: float
    depths: tuple[Depth, ...] = ()
    threads: int
    threads_batch: int
    repack: bool
    temp_c: float | None = None
    khz: int | None = None
    hot: bool = False
    began_c: float | None = None
    kv_type: KvType = "f16"
    context: int = 0
    pp_error: float = 0.0
    tries: tuple[Try, ...] = ()
    build: str = ""
    wall: float


def kind_of(stored: Stored, *, flash: bool) -> KvType:
    """The way, from llama.cpp's two settings.

    Args:
        stored: Type of keys and values.
        flash: Whether flash attention may be used.
    """
    return stored if flash or stored != "f16" else NO_FLASH


def stored_as(kind: KvType) -> Stored:
    """Type of keys and values."""
    return "f16" if kind == NO_FLASH else kind
