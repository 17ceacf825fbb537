"""Which quantisation type each kind of tensor has, as published files mix them."""

from __future__ import annotations

from typing import Final

import msgspec


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """A quantisation type for each kind of tensor, as published mixes have them.

    Attributes:
        gate: Type of the feed-forward gates.
        up: Type of the up projections.
        down: Type of the down projections.
        better_down: Type of the down projection in every `better_every`-th layer.
        better_every: Layers from one better down projection to the next.
        attention: Type of the query and output projections.
        key_value: Type of the key and value projections.
        embedding: Type of the token embedding.
        output: Type of the output projection.
    """

    gate: str
    up: str
    down: str
    better_down: str
    better_every: int = 12
    attention: str
    key_value: str
    embedding: str
    output: str


# Named by bits per weight at the full depth of 48 layers.
MIXES: Final = {
    "2.70": Mix(
        gate="Q2_K",
        up="Q2_K",
        down="Q2_K",
        better_down="Q3_K",
        attention="Q3_K",
        key_value="Q4_K",
        embedding="Q3_K",
        output="Q4_K",
    ),
    "3.25": Mix(
        gate="Q2_K",
        up="Q3_K",
        down="Q3_K",
        better_down="Q4_K",
        attention="Q4_K",
        key_value="Q4_K",
        embedding="Q3_K",
        output="Q4_K",
    ),
    "3.48": Mix(
        gate="Q3_K",
        up="Q3_K",
        down="Q3_K",
        better_down="Q4_K",
        attention="Q3_K",
        key_value="Q4_K",
        embedding="Q3_K",
        output="Q4_K",
    ),
}
