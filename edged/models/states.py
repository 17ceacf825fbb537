"""Which blocks of a model keep a recurrent state instead of keys and values, and how large it is.

The rules are those by which llama.cpp (as in llama-cpp-python 0.3.36) reads the same keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edged.models.keys import Keys

MAX_WIDTH = 1 << 20  # of a mixer; the largest have 16,384
MAX_KERNEL = 64  # tokens that a convolution sees; 4 in all known models
_RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
# every block both attends and recurs
_BOTH = frozenset({"falcon-h1"})
# linear attention in all but every fourth block, or as a key says
_INTERVALS = frozenset({"qwen3next", "qwen35", "qwen35moe", "qwen4exp", "minimax-01"})
_INTERVAL = 4  # unless full_attention_interval says otherwise
# blocks that are only a feed-forward have neither state nor heads
_FEED_FORWARD = frozenset({"nemotron_h", "nemotron_h_moe"})


class State(NamedTuple):
    """What the recurrent blocks remember of one sequence.

    Attributes:
        blocks: Whether each block is recurrent.
        width: Numbers of 4 bytes that one such block keeps.
    """

    blocks: tuple[bool, ...]
    width: int


def state(
    own: Keys, architecture: str, heads: tuple[int, ...], heads_kv: tuple[int, ...], embedding: int
) -> State:
    """What the keys say; raises `Bad`.

    Args:
        own: The keys of the architecture.
        architecture: llama.cpp's name.
        heads: Query heads of each block.
        heads_kv: Key and value heads of each block, as the file has them.
        embedding: Width of the residual stream.
    """
    width = _width(own, embedding, max(heads))
    if not width:
        return State((False,) * len(heads_kv), 0)
    return State(_blocks(own, architecture, heads_kv), width)


def attends(found: State, architecture: str, heads_kv: tuple[int, ...], idle: int) -> list[int]:
    """Key and value heads of each block that caches any.

    Args:
        found: Which blocks are recurrent.
        architecture: llama.cpp's name.
        heads_kv: As the file has them.
        idle: Blocks at the end that cache nothing: they predict further tokens or share.
    """
    both = architecture in _BOTH
    last = len(heads_kv) - idle
    pairs = enumerate(zip(heads_kv, found.blocks, strict=True))
    return [heads if i < last and (both or not recurs) else 0 for i, (heads, recurs) in pairs]


def _blocks(own: Keys, architecture: str, heads_kv: tuple[int, ...]) -> tuple[bool, ...]:
    count = len(heads_kv)
    if architecture in _RECURRENT | _BOTH:
        return (True,) * count
    if architecture in _INTERVALS:
        every = own.number("full_attention_interval", 1, count, min(_INTERVAL, count))
        told = tuple(int((block + 1) % every != 0) for block in range(count))
        trunk = count - own.number("nextn_predict_layers", 0, count - 1, 0)
        flags = own.per_block("attention.recurrent_layers", count, told)
        return tuple(bool(flag) and block < trunk for block, flag in enumerate(flags))
    if architecture in _FEED_FORWARD:
        forward = own.per_block("feed_forward_length", count, (0,) * count, MAX_WIDTH)
        return tuple(heads == 0 and ff == 0 for heads, ff in zip(heads_kv, forward, strict=True))
    return tuple(heads == 0 for heads in heads_kv)


def _width(own: Keys, embedding: int, heads: int) -> int:
    """Numbers of a block: what its convolution saw last, and its state."""
    if head := own.number("wkv.head_size", 0, MAX_WIDTH, 0):
        return embedding * (own.number("token_shift_count", 0, MAX_KERNEL, 2) + head)
    if cache := own.number("shortconv.l_cache", 0, MAX_KERNEL, 0):
        return embedding * (cache - 1)
    kernel = own.number("ssm.conv_kernel", 0, MAX_KERNEL, 0)
    if head := own.number("kda.head_dim", 0, MAX_WIDTH, 0):
        return head * heads * (3 * max(0, kernel - 1) + head)
    inner = own.number("ssm.inner_size", 0, MAX_WIDTH, 0)
    numbers = own.number("ssm.state_size", 0, MAX_WIDTH, 0)
    groups = own.number("ssm.group_count", 0, MAX_WIDTH, 0)
    return max(0, kernel - 1) * (inner + 2 * groups * numbers) + inner * numbers
