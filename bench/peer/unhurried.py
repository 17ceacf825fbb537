"""Which made-up model decodes as slowly here as a chosen one does on a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench import synthetic
from bench.direct import Direct
from bench.shapes import SHAPES
from edged.engine.frames import Load, Measure, Measured

if TYPE_CHECKING:
    from bench.peer.programs import Same

MOST_MS: Final = 60.0  # a token, with all threads; at least 20 where the machine is slow enough
DEEPEST_FIRST: Final = ("unhurried", "half-unhurried", "overhead")
PROBE: Final = "overhead"
DECODED: Final = 16
REPEAT: Final = 3
# Output and embedding beside them: 4 layers took 30.8 ms and 18 of them 80 on an EPYC of 2017.
HEAD_LAYERS: Final = 5


def unhurried(same: Same) -> str:
    """The deepest shape of which a token takes no longer than MOST_MS here."""
    load = Load(
        path=str(synthetic.cached(PROBE)),
        threads=same.threads,
        threads_batch=same.threads,
        streams=1,
        prefix_tokens=0,
    )
    with Direct(load) as worker:
        measured = worker.errand(Measure(key="measure/depth", tg=DECODED, repeat=REPEAT), Measured)
    return deepest(min(measured.tg_ms) / DECODED)


def deepest(probe_ms: float) -> str:
    """The same, by the milliseconds that a token of PROBE takes."""
    a_layer = probe_ms / (SHAPES[PROBE].layers + HEAD_LAYERS)
    for name in DEEPEST_FIRST:
        if a_layer * (SHAPES[name].layers + HEAD_LAYERS) <= MOST_MS:
            return name
    return DEEPEST_FIRST[-1]
