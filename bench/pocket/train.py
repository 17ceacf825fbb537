"""Train the pocket model on the CPU; the seeds, the order and the step count are fixed.

    nice -n 10 python -m bench.pocket.train --tokenizer build/pocket/tokenizer.json
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from bench.pocket.corpus import END, SEPARATOR, START, Dialogue, split
from bench.pocket.model import Pocket, Shape

PROMPT_WEIGHT = 0.25  # a prompt is mostly random readings: learn its language, not its digits
LONG_SHARE = 0.15  # the last steps see the whole context, so that its far end works too


@dataclass(frozen=True)
class Plan:
    """How long and how fast: tokens per step, context of the two parts, learning rate."""

    steps: int
    batch_tokens: int = 4096
    short_context: int = 768
    long_context: int = 2048
    peak_rate: float = 3e-3
    warm_up: int = 60

    def context(self, step: int) -> int:
        """Tokens of one window at a step."""
        late = step >= self.steps * (1 - LONG_SHARE)
        return self.long_context if late else self.short_context

    def rate(self, step: int) -> float:
        """Learning rate: a linear warm-up, then half a cosine down to 2 % of the peak."""
        if step < self.warm_up:
            return self.peak_rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.peak_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def encode(tokenizer: Tokenizer, dialogue: Dialogue) -> tuple[list[int], list[float]]:
    """Return the ids of a rendered dialogue and, for each, its weight as a target."""
    ids: list[int] = []
    weights: list[float] = []
    for turn in dialogue:
        head = tokenizer.encode(f"{START}{turn.role}\n").ids
        body = tokenizer.encode(f"{turn.text}{END}").ids
        tail = tokenizer.encode("\n").ids
        ids += head + body + tail
        weight = 1.0 if turn.role == "assistant" else PROMPT_WEIGHT
        weights += [0.0] * len(head) + [weight] * len(body) + [0.0] * len(tail)
    return [*ids, tokenizer.token_to_id(SEPARATOR)], [*weights, PROMPT_WEIGHT]


def windows(
    encoded: Iterator[tuple[list[int], list[float]]], length: int
) -> Iterator[tuple[list[int], list[float]]]:
    """Fill windows of `length` with whole dialogues; each starts with one, as a prompt does."""
    ids: list[int] = []
    weights: list[float] = []
    for more, heavy in encoded:
        ids += more
        weights += heavy
        if len(ids) >= length:
            yield ids[:length], weights[:length]
            ids, weights = [], []


def batches(tokenizer: Tokenizer, plan: Plan, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield ids and weights, each (windows, context + 1), one pair a step."""
    encoded = (encode(tokenizer, dialogue) for dialogue in split(seed, held=False))
    for step in range(plan.steps):
        context = plan.context(step)
        rows = [next(windows(encoded, context + 1)) for _ in range(plan.batch_tokens // context)]
        yield torch.tensor([row[0] for row in rows]), torch.tensor([row[1] for row in rows])


def token_losses(model: Callable[[Tensor, Tensor], Tensor], ids: Tensor) -> Tensor:
    """Return the loss in nats of each next token, (windows, context)."""
    tokens, targets = ids[:, :-1], ids[:, 1:]
    positions = torch.arange(tokens.shape[1]).expand_as(tokens)
    logits = model(tokens, positions)
    flat = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return flat.view_as(targets)


def _optimizer(model: Pocket, plan: Plan) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.peak_rate, betas=(0.9, 0.95), fused=True)


def fit(
    model: Pocket, tokenizer: Tokenizer, plan: Plan, seed: int, save: Callable[[int], None]
) -> None:
    """Train in place; print progress, and call `save` with the tokens seen now and then."""
    optimizer, forward = _optimizer(model, plan), torch.compile(model, dynamic=False)
    seen, start, mean = 0, time.monotonic(), 0.0
    for step, (ids, weights) in enumerate(batches(tokenizer, plan, seed)):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        heavy = weights[:, 1:]
        loss = (token_losses(forward, ids) * heavy).sum() / heavy.sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += heavy.numel()
        mean = loss.item() if step == 0 else 0.9 * mean + 0.1 * loss.item()
        if step % 25 == 0 or step == plan.steps - 1:
            took = time.monotonic() - start
            print(f"{step} loss {mean:.3f} tokens {seen} {seen / took:.0f}/s {took:.0f} s", flush=True)
            save(seen)


def main() -> None:
    """Train from scratch and save the weights with what is needed to export them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tokenizer", type=Path, default=Path("build/pocket/tokenizer.json"))
    parser.add_argument("--out", type=Path, default=Path("build/pocket/model.pt"))
    parser.add_argument("--steps", type=int, default=1050)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    model, plan = Pocket(Shape()), Plan(options.steps)
    facts = {"shape": asdict(model.shape), "plan": asdict(plan), "seed": options.seed}

    def save(tokens: int) -> None:
        torch.save(facts | {"weights": model.state_dict(), "tokens": tokens}, options.out)

    fit(model, Tokenizer.from_file(str(options.tokenizer)), plan, options.seed, save)


if __name__ == "__main__":
    main()
