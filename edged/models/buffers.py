"""What llama.cpp's buffers of a step take.

Its allocator gives the tensors of a graph places that overlap in time; what remains is the most
that lives at once. The terms were found by asking llama.cpp (as in llama-cpp-python 0.3.36) for
its sizes over some shapes of dense models and of experts; those of recurrent mixers are a guess
on the safe side. `bench/fit.py` compares with what a child takes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edged.models.fit import Setup
    from edged.models.gguf import Header
    from edged.models.metadata import Geometry

F32, F16 = 4, 2
# As the worker makes its context: one run more for who is urgent, one for a prefix that is read.
URGENT, LESSON = 1, 1
BRANCHES, RECURRENT_BRANCHES = 16, 1  # options of a decision, side by side
KEPT_STATES = 8  # of recurrent models, besides the runs
MOST_ROWS = 512  # rows of one graph, besides one of each run
# llama.cpp's tiled kernels take so much for each thread of a matrix product.
THREAD_BYTES = 512 << 10
QUANTISED = 292 / 256  # bytes a number takes as q8_K, which a product turns its input into
MIXER_COPIES = 4  # input, convolved, split and gated
# part of a tensor's name: what its rows are the width of, and how many widths they hold
_KINDS = MappingProxyType(
    {
        "ffn_up": ("forward", 1),
        "ffn_gate_up": ("forward", 2),
        "ffn_up_shexp": ("forward", 1),
        "ffn_up_exps": ("experts", 1),
        "ffn_gate_up_exps": ("experts", 2),
        "ssm_in": ("mixer", 1),
        "attn_qkv": ("mixer", 1),
    }
)


def sequences(streams: int, *, recurrent: bool) -> int:
    """Sequences of the context."""
    branches = KEPT_STATES + RECURRENT_BRANCHES if recurrent else BRANCHES
    return streams + URGENT + LESSON + branches


def compute_bytes(header: Header, setup: Setup, cells: int) -> int:
    """Bytes of a step's activations, masks, scores, logits and of the threads' work space.

    Args:
        header: Of the model.
        setup: How it is loaded.
        cells: Tokens of the cache.
    """
    model = header.geometry
    outputs = sequences(setup.streams, recurrent=model.state_width > 0)
    rows = _rows(setup, outputs, cells)
    widths = _widths(header)
    live = max(_feed_forward(model, widths), _mixer(widths))
    mask = F16 * cells
    if any(model.head_counts_kv) and not setup.flash_attention:
        # Scores of each head and the mask, in F32; the feed-forward lives in what they leave.
        live, mask = max(live, _scores(model, cells)), 0
    logits = F32 * outputs * model.n_vocab
    quantised = int(rows * max(widths.forward, widths.experts, widths.mixer) * QUANTISED)
    graph = max(rows * (F32 * live + mask), logits)
    return graph + logits + quantised + setup.threads * THREAD_BYTES


class _Widths(NamedTuple):
    """Of one token's activations.

    Attributes:
        forward: In a dense feed-forward.
        experts: In the feed-forwards of all experts that it uses.
        mixer: In what goes into a recurrent mixer.
    """

    forward: int
    experts: int
    mixer: int


def _rows(setup: Setup, outputs: int, cells: int) -> int:
    """Tokens of the largest graph; llama.cpp rounds up to a multiple of the sequences."""
    rows = min(setup.prefill_chunk, MOST_ROWS) + setup.streams + URGENT
    return min(-(-rows // outputs) * outputs, cells)


def _widths(header: Header) -> _Widths:
    used = header.geometry.expert_used_count
    widest = {"forward": 0, "experts": 0, "mixer": 0}
    for tensor in header.tensors:
        kind, share = _KINDS.get(tensor.name.partition(".weight")[0].rpartition(".")[2], ("", 1))
        if kind:
            widest[kind] = max(widest[kind], tensor.dims[1] // share)
    return _Widths(widest["forward"], used * widest["experts"], widest["mixer"])


def _feed_forward(model: Geometry, widths: _Widths) -> int:
    """Numbers that live at once for a token, most of them around the feed-forward."""
    width = model.embedding_length
    heads = max(model.head_counts) * model.key_length
    dense = 3 * widths.forward + 2 * width + 2 * heads
    used = model.expert_used_count
    return max(dense, 2 * used * width + widths.experts + 3 * width if used else 0)


def _mixer(widths: _Widths) -> int:
    return MIXER_COPIES * widths.mixer


def _scores(model: Geometry, cells: int) -> int:
    heads = max(model.head_counts)
    around = 3 * model.embedding_length + 2 * heads * model.key_length
    keys = 2 * max(model.head_counts_kv) * model.key_length
    return cells * (heads + 1) + around + keys
