"""The metadata of a GGUF file that an engine sizes its memory by, each within sane bounds."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from edged.models.cursor import FLOAT32, INT32, STRING, UINT32, Array, bad
from edged.models.keys import Keys, text
from edged.models.states import attends, state

MAX_BLOCKS = 512  # llama.cpp's LLAMA_MAX_LAYERS; at 0, 1000 and 2^31 it aborts or writes outside
MAX_EMBEDDING = 1 << 18  # the largest models have 16,384
MAX_CONTEXT = 1 << 27  # the longest claims are 10 million
MAX_EXPERTS = 512  # llama.cpp's LLAMA_MAX_EXPERTS

_ARCHITECTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKENS = "tokenizer.ggml.tokens"
# read by llama.cpp as arrays of this type and as long as the vocabulary
_PER_TOKEN = {"tokenizer.ggml.scores": {FLOAT32}, "tokenizer.ggml.token_type": {INT32, UINT32}}


class Geometry(msgspec.Struct, frozen=True, kw_only=True):
    """What the model is made of.

    Attributes:
        architecture: llama.cpp's name of its kind.
        name: What its maker calls it, if they do.
        n_ctx_train: Tokens of context it was trained for.
        block_count: Blocks, 1 to 512.
        embedding_length: Width of the residual stream.
        head_counts: Query heads of each block; 0 in one without attention.
        head_counts_kv: Key and value heads of each block.
        key_length: Width of one key head; 0 where there is no attention.
        value_length: Width of one value head.
        n_vocab: Tokens of the vocabulary.
        expert_count: Experts of each block; 0 in a dense model.
        expert_used_count: Those that work on each token.
        chat_template: Jinja source, untrusted; None if there is none.
        recurrent: Whether each block keeps a state of its own, as Mamba's and linear attention do.
        state_width: Numbers of 4 bytes that such a block keeps of a sequence.
    """

    architecture: str
    name: str | None
    n_ctx_train: int
    block_count: int
    embedding_length: int
    head_counts: tuple[int, ...]
    head_counts_kv: tuple[int, ...]
    key_length: int
    value_length: int
    n_vocab: int
    expert_count: int
    expert_used_count: int
    chat_template: str | None
    recurrent: tuple[bool, ...] = ()
    state_width: int = 0


def geometry(values: dict[str, Any]) -> Geometry:
    """Read and check what the keys say; raises `Bad`."""
    architecture = text(values, "general.architecture") or ""
    if not _ARCHITECTURE.fullmatch(architecture):
        bad("general.architecture is missing or no name")
    if values.get("split.count", 0) not in {0, 1}:
        bad("one part of several; join them with llama-gguf-split --merge")
    own = Keys(values, architecture)
    blocks = own.number("block_count", 1, MAX_BLOCKS)
    embedding = own.number("embedding_length", 1, MAX_EMBEDDING)
    heads = own.per_block("attention.head_count", blocks, (0,) * blocks)
    heads_kv = own.per_block("attention.head_count_kv", blocks, heads)
    width = embedding // max(heads) if max(heads) else 0
    kept = state(own, architecture, heads, heads_kv, embedding)
    experts = own.number("expert_count", 0, MAX_EXPERTS, 0)
    own.epsilons()
    return Geometry(
        architecture=architecture,
        name=text(values, "general.name"),
        n_ctx_train=own.number("context_length", 1, MAX_CONTEXT),
        block_count=blocks,
        embedding_length=embedding,
        head_counts=heads,
        head_counts_kv=tuple(attends(kept, architecture, heads_kv, _idle(own, blocks))),
        key_length=own.number("attention.key_length", 0, MAX_EMBEDDING, width),
        value_length=own.number("attention.value_length", 0, MAX_EMBEDDING, width),
        n_vocab=_vocabulary(values),
        expert_count=experts,
        expert_used_count=own.number("expert_used_count", min(1, experts), experts, 0),
        chat_template=text(values, "tokenizer.chat_template", None),
        recurrent=kept.blocks,
        state_width=kept.width,
    )


def _idle(own: Keys, blocks: int) -> int:
    """Blocks at the end without a cache of their own."""
    further = own.number("nextn_predict_layers", 0, blocks - 1, 0)
    return max(further, own.number("attention.shared_kv_layers", 0, blocks - 1, 0))


def _vocabulary(values: dict[str, Any]) -> int:
    tokens = values.get(_TOKENS)
    if not isinstance(tokens, Array) or tokens.kind != STRING or tokens.length == 0:
        bad(f"{_TOKENS} is missing or no list of texts")
    for key, kinds in _PER_TOKEN.items():
        found = values.get(key)
        if found is None:
            continue
        if not isinstance(found, Array) or found.kind not in kinds:
            bad(f"{key} has elements of the wrong type")
        if found.length != tokens.length:
            bad(f"{key} has {found.length} elements for {tokens.length} tokens")
    merges = values.get("tokenizer.ggml.merges")
    if merges is not None and not (isinstance(merges, Array) and merges.kind == STRING):
        bad("tokenizer.ggml.merges is no list of texts")
    return int(tokens.length)
