"""A Qwen3 transformer in PyTorch, with the tensor names of the GGUF it becomes."""

# torch is not installed where types are checked, so its classes are Any there
# mypy: disable-error-code="misc"

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Turn = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Shape:
    """Geometry; every input width is a multiple of 256, as K-quants ask."""

    vocabulary: int = 2048
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 64
    hidden: int = 768
    rope_base: float = 1e4
    epsilon: float = 1e-6


class Attention(nn.Module):
    """Grouped-query attention with a norm on every query and key head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        queries, keys = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
        self.attn_q = nn.Linear(shape.width, queries, bias=False)
        self.attn_k = nn.Linear(shape.width, keys, bias=False)
        self.attn_v = nn.Linear(shape.width, keys, bias=False)
        self.attn_output = nn.Linear(queries, shape.width, bias=False)
        self.attn_q_norm = nn.RMSNorm(shape.head_width, shape.epsilon)
        self.attn_k_norm = nn.RMSNorm(shape.head_width, shape.epsilon)

    def forward(self, x: Tensor, turn: Turn, lengths: list[int]) -> Tensor:
        """Attend causally inside each sequence of `x`, (tokens, width)."""
        q = rotate(self.attn_q_norm(self._heads(self.attn_q(x))), turn)
        k = rotate(self.attn_k_norm(self._heads(self.attn_k(x))), turn)
        v = self._heads(self.attn_v(x))
        shared = self.shape.heads // self.shape.kv_heads
        k, v = (t.repeat_interleave(shared, dim=0) for t in (k, v))
        parts = zip(*(t.unsqueeze(0).split(lengths, dim=2) for t in (q, k, v)), strict=True)
        mixed = [functional.scaled_dot_product_attention(*p, is_causal=True) for p in parts]
        return self.attn_output(torch.cat(mixed, dim=2)[0].transpose(0, 1).flatten(1))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.shape.head_width)).transpose(0, 1)


class Block(nn.Module):
    """One layer: attention, then a gated feed-forward, each after its norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attn_norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.attention = Attention(shape)
        self.ffn_norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.ffn_gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, turn: Turn, lengths: list[int]) -> Tensor:
        """Map (tokens, width) to the same shape."""
        x = x + self.attention(self.attn_norm(x), turn, lengths)
        h = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Pocket(nn.Module):
    """The whole model; input and output share one embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.apply(_initialise)

    def forward(self, tokens: Tensor, lengths: list[int]) -> Tensor:
        """Return logits (tokens, vocabulary) for sequences of ids laid end to end.

        None sees another. The matrices meet one flat batch, so nothing is padded and every
        step has the same shape, which spares the CPU kernels' costly set-up for a new one.
        """
        turn = angles(self.shape, torch.cat([torch.arange(n) for n in lengths]))
        x = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, turn, lengths)
        return functional.linear(self.output_norm(x), self.token_embd.weight)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02 if isinstance(module, nn.Embedding) else 0.04)


def angles(shape: Shape, positions: Tensor) -> Turn:
    """Return cosine and sine of the rotary angles, each (tokens, head_width)."""
    half = torch.arange(0, shape.head_width, 2) / shape.head_width
    angle = positions[:, None] * shape.rope_base**-half
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, turn: Turn) -> Tensor:
    """Rotate heads by their positions, halves paired as llama.cpp's NEOX rope pairs them."""
    cosine, sine = turn
    low, high = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-high, low), dim=-1) * sine
