"""What a made-up model's file says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import gguf

from bench import vocabulary
from bench.shapes import MambaShape, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

ROPE_BASE: Final = 1e6
RMS_EPSILON: Final = 1e-6


def add_geometry(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Write the keys of the shape's architecture."""
    writer.add_name(f"made-up {shape.architecture}")
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.d_model)
    writer.add_feed_forward_length(shape.ff)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(_kv_heads(shape))
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q2_K)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.used)
        writer.add_expert_feed_forward_length(shape.ff)
    if isinstance(shape, MambaShape):
        _add_mixer(writer, shape)


def _kv_heads(shape: Shape) -> int | Sequence[int]:
    """For each layer where they differ: llama.cpp knows a hybrid's mixers by their having none."""
    if not isinstance(shape, MambaShape):
        return shape.kv_heads
    layers = range(shape.layers)
    return [shape.kv_heads if layer in shape.attending else 0 for layer in layers]


def _add_mixer(writer: gguf.GGUFWriter, shape: MambaShape) -> None:
    writer.add_ssm_conv_kernel(shape.kernel)
    writer.add_ssm_inner_size(shape.inner)
    writer.add_ssm_state_size(shape.state)
    writer.add_ssm_time_step_rank(shape.ssm_heads)
    writer.add_ssm_group_count(shape.groups)
    # The published hybrids do without positions; their mixers know the order.
    writer.add_rope_scaling_finetuned(value=False)


def add_vocabulary(writer: gguf.GGUFWriter, words: vocabulary.Vocabulary) -> None:
    """Write the tokens, their marks and the chat template."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.kinds)
    writer.add_token_merges(words.merges)
    writer.add_bos_token_id(words.end_of_text)
    writer.add_eos_token_id(words.turn_end)
    writer.add_pad_token_id(words.end_of_text)
    writer.add_add_bos_token(value=False)
    writer.add_chat_template(vocabulary.CHAT_TEMPLATE)
