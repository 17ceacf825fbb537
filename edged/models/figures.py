"""Speeds of a model file on a board: predicted from its header, or measured."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Depth(NamedTuple):
    """Decode speed behind so many tokens of context."""

    tokens: int
    tps: float


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
    wall: float
