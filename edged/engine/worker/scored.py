"""Tokens beside their scores, as samplers of llama.cpp want them."""

from __future__ import annotations

import ctypes
from typing import Any, Final

from edged.engine.worker.native import llama

_NUMBERS_EACH: Final = ctypes.sizeof(llama.llama_token_data) // ctypes.sizeof(ctypes.c_float)
_ID, _SCORE = 0, 1  # places of 4 bytes in a llama_token_data


class Scored:
    """A llama_token_data_array that is filled anew for each choice, by copies in C.

    Args:
        size: Tokens at most.
    """

    def __init__(self, size: int) -> None:
        self._data = (llama.llama_token_data * size)()
        self._ids = memoryview(self._data).cast("B").cast("i")[_ID::_NUMBERS_EACH]
        self._scores = memoryview(self._data).cast("B").cast("f")[_SCORE::_NUMBERS_EACH]
        self._array = llama.llama_token_data_array()
        self._array.data = self._data

    def apply(self, sampler: Any) -> None:
        """Let a sampler drop, weigh or choose."""
        llama.llama_sampler_apply(sampler, ctypes.byref(self._array))

    @property
    def chosen(self) -> tuple[int, float]:
        """The token that the last sampler chose, and its score."""
        data = self._data[self._array.selected]
        return data.id, data.logit

    def put(self, ids: memoryview[int], scores: memoryview[float]) -> None:
        """Take some tokens with their scores, in no order."""
        self._ids[: len(ids)] = ids
        self._scores[: len(ids)] = scores
        self._begin(len(ids))

    def _begin(self, size: int) -> None:
        self._array.size = size
        self._array.selected = -1
        self._array.sorted = False
