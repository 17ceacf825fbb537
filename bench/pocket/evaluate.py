"""Held-out perplexity of the pocket model, and its card.

python -m bench.pocket.evaluate --model build/pocket/model.pt
"""

import argparse
import json
import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from bench.pocket.corpus import split
from bench.pocket.export import CONTEXT
from bench.pocket.model import Pocket, Shape
from bench.pocket.train import encode, weighted_losses

DIALOGUES = 600  # about 150,000 tokens: the perplexity is steady to a percent


@dataclass
class Sum:
    """Losses in nats, added up."""

    nats: float = 0.0
    tokens: int = 0

    def add(self, losses: torch.Tensor) -> None:
        """Add a vector of losses."""
        self.nats += losses.sum().item()
        self.tokens += losses.numel()

    @property
    def perplexity(self) -> float:
        """The perplexity of all that was added."""
        return math.exp(self.nats / self.tokens)


@torch.no_grad()
def perplexities(model: Pocket, tokenizer: Tokenizer, seed: int) -> tuple[Sum, Sum]:
    """Score held-out dialogues one by one: what assistants say, and every token."""
    answers, everything = Sum(), Sum()
    for dialogue in islice(split(seed, held=True), DIALOGUES):
        ids, marks = encode(tokenizer, dialogue)
        losses, weights = weighted_losses(model, [(ids[:CONTEXT], marks[:CONTEXT])])
        everything.add(losses[weights > 0])
        answers.add(losses[weights == 1.0])
    return answers, everything


def card(saved: dict[str, Any], answers: Sum, everything: Sum) -> dict[str, Any]:
    """Return what is worth knowing about the model, without dates."""
    return {
        "name": "edged-pocket",
        "architecture": "qwen3",
        "license": "Apache-2.0",
        "parameters": sum(w.numel() for w in saved["weights"].values()),
        "context_length": CONTEXT,
        "shape": saved["shape"],
        "seed": saved["seed"],
        "tokens_trained": saved["tokens"],
        "held_out": {
            "answer_tokens": answers.tokens,
            "answer_perplexity": round(answers.perplexity, 3),
            "tokens": everything.tokens,
            "perplexity": round(everything.perplexity, 3),
        },
    }


def main() -> None:
    """Evaluate a saved model and write its card."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("build/pocket/model.pt"))
    parser.add_argument("--tokenizer", type=Path, default=Path("build/pocket/tokenizer.json"))
    parser.add_argument("--out", type=Path, default=Path("edged/data/pocket.json"))
    options = parser.parse_args()
    torch.set_num_threads(2)
    saved = torch.load(options.model, map_location="cpu", weights_only=True)
    model = Pocket(Shape(**saved["shape"]))
    model.load_state_dict(saved["weights"])
    scores = perplexities(model, Tokenizer.from_file(str(options.tokenizer)), saved["seed"])
    written = card(saved, *scores)
    options.out.write_text(json.dumps(written, indent=2) + "\n")
    print(json.dumps(written["held_out"]))


if __name__ == "__main__":
    main()
