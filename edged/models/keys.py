"""Metadata keys of a GGUF file, each read within sane bounds; what breaks one raises `Bad`."""

from __future__ import annotations

from math import isfinite
from typing import Any

from edged.models.cursor import Array, bad

MAX_HEADS = 4096  # the largest models have 128
MAX_TEXT = 256  # characters of a name; more is not shown anywhere


class Keys:
    """The keys of one architecture."""

    def __init__(self, values: dict[str, Any], architecture: str) -> None:
        self._values = values
        self._prefix = architecture

    def number(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number within bounds, or `default` where one is given and the key is not."""
        full = f"{self._prefix}.{key}"
        value = self._values.get(full, default)
        if value is None:
            bad(f"{full} is missing")
        return within(full, value, least, most)

    def per_block(
        self, key: str, blocks: int, default: tuple[int, ...], most: int = MAX_HEADS
    ) -> tuple[int, ...]:
        """A number of each block: one for all, or an array of numbers, or of true and false."""
        full = f"{self._prefix}.{key}"
        value = self._values.get(full)
        if value is None:
            return default
        if not isinstance(value, Array):
            return (within(full, value, 0, most),) * blocks
        if value.length != blocks:
            bad(f"{full} has {value.length} elements for {blocks} blocks")
        return tuple(
            int(each) if isinstance(each, bool) else within(full, each, 0, most)
            for each in value.values
        )

    def epsilons(self) -> None:
        """The norms divide by their root, so they are above zero."""
        for key in ("layer_norm_rms_epsilon", "layer_norm_epsilon"):
            full = f"{self._prefix}.attention.{key}"
            value = self._values.get(full, 1.0)
            if not isinstance(value, float) or not isfinite(value) or value <= 0:
                bad(f"{full} is not a number above zero")


def within(key: str, value: object, least: int, most: int) -> int:
    """The value, if it is a whole number in these bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        bad(f"{key} is no whole number")
    if not least <= value <= most:
        bad(f"{key} is {value}; {least} to {most} are possible")
    return value


def text(values: dict[str, Any], key: str, most: int | None = MAX_TEXT) -> str | None:
    """Text of at most `most` characters, or None if the key is missing."""
    value = values.get(key)
    if value is not None and not isinstance(value, str):
        bad(f"{key} is no text")
    return value if value is None or most is None else value[:most]
