"""The best scores and whose they are, found by ggml's own search.

A chain of llama.cpp's is given every token beside its score, 1.8 MB with 152,000 of them, of which
its first sampler leaves a few. Here it is given those few.
"""

from __future__ import annotations

import ctypes
from typing import Any

from edged.engine.worker.scored import Scored
from edged.engine.worker.search import POINTER, Search, bound

_top_k = bound("ggml_top_k", POINTER, POINTER, POINTER, ctypes.c_int)
_rows = bound("ggml_get_rows", POINTER, POINTER, POINTER, POINTER)


class Best(Search):
    """Searches scores where they lie; what was found stays until the next search.

    Args:
        size: Scores of a row.
        count: How many to find; at most as many as there are.
    """

    def __init__(self, size: int, count: int) -> None:
        super().__init__(size)
        self._count = count
        self._places = (ctypes.c_int32 * count)()
        self._values = (ctypes.c_float * count)()
        self._found = (
            memoryview(self._places).cast("B").cast("i"),
            memoryview(self._values).cast("B").cast("f"),
        )
        self._scored = Scored(count)

    def chosen(self, address: int, chain: Any) -> int:
        """What a chain chooses of the best of the scores at an address, which it gets unsorted."""
        self._search(address)
        self._scored.put(*self._found)
        self._scored.apply(chain)
        return self._scored.chosen[0]

    def _build(self, context: int, address: int) -> list[int]:
        scores = self._scores(context, address, self._size, 1)
        places = self._into(_top_k(context, scores, self._count), self._places)
        each = self._scores(context, address, 1, self._size)
        return [places, self._into(_rows(context, each, places), self._values)]
