"""Write the trained model as a GGUF file that llama.cpp loads as `qwen3`.

python -m bench.pocket.export --model build/pocket/model.pt --out edged/data/pocket.gguf
"""

import argparse
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from bench.pocket.corpus import END, SEPARATOR, SPECIAL
from bench.pocket.model import Shape

CONTEXT = 2048  # tokens; the length of the last training windows, so what really works
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
DESCRIPTION = "A five-million-parameter model that knows only a little house; trained from scratch"


def write(saved: dict[str, Any], tokenizer: dict[str, Any], out: Path) -> None:
    """Write weights (F16 matrices, F32 norms), geometry, vocabulary and chat template."""
    writer = gguf.GGUFWriter(out, "qwen3")
    _describe(writer)
    _geometry(writer, Shape(**saved["shape"]))
    _vocabulary(writer, tokenizer)
    for name, weights in saved["weights"].items():
        kind = np.float16 if weights.ndim > 1 else np.float32
        writer.add_tensor(_gguf_name(name), weights.numpy().astype(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf_name(name: str) -> str:
    return name.replace(".attention.", ".")


def _describe(writer: gguf.GGUFWriter) -> None:
    writer.add_name("edged-pocket")
    writer.add_description(DESCRIPTION)
    writer.add_license("Apache-2.0")
    writer.add_size_label("5M")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _geometry(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: dict[str, Any]) -> None:
    ids: dict[str, int] = tokenizer["model"]["vocab"]
    tokens = sorted(ids, key=ids.__getitem__)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in SPECIAL else normal for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(ids[END])
    writer.add_eot_token_id(ids[END])
    writer.add_pad_token_id(ids[SEPARATOR])
    writer.add_add_bos_token(value=False)
    writer.add_chat_template(CHAT_TEMPLATE)


def main() -> None:
    """Export a saved model and its tokenizer."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("build/pocket/model.pt"))
    parser.add_argument("--tokenizer", type=Path, default=Path("build/pocket/tokenizer.json"))
    parser.add_argument("--out", type=Path, default=Path("edged/data/pocket.gguf"))
    options = parser.parse_args()
    saved = torch.load(options.model, map_location="cpu", weights_only=True)
    write(saved, json.loads(options.tokenizer.read_text()), options.out)
    print(f"{options.out.stat().st_size} bytes in {options.out}")


if __name__ == "__main__":
    main()
