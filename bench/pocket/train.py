"""Train the pocket model on the CPU; the seeds, the order and the step count are fixed.

python -m bench.pocket.train
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

Sample = tuple[list[int], list[float]]
MUON_RATIO = 2.4  # of AdamW's learning rate; Muon's customary 0.02 in these units
PROMPT_WEIGHT = 0.25  # a prompt is mostly random readings: learn its language, not its digits


@dataclass(frozen=True)
class Plan:
    """How long and how fast: tokens per step, longest dialogue in tokens, learning rate."""

    steps: int
    step_tokens: int = 2560
    context: int = 2048
    peak_rate: float = 2.5e-3
    warm_up: int = 100

    def rate(self, step: int) -> float:
        """Learning rate: a linear warm-up, then half a cosine down to 2 % of the peak."""
        if step < self.warm_up:
            return self.peak_rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.peak_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def encode(tokenizer: Tokenizer, dialogue: Dialogue) -> Sample:
    """Return the ids of a rendered dialogue and, for each, its weight as a target."""
    ids: list[int] = []
    weights: list[float] = []
    for turn in dialogue:
        head = tokenizer.encode(f"{START}{turn.role}\n").ids
        body = tokenizer.encode(f"{turn.text}{END}").ids
        tail = tokenizer.encode("\n").ids
        ids += head + body + tail
        weight = 1.0 if turn.role == "assistant" else PROMPT_WEIGHT
        weights += [PROMPT_WEIGHT] * len(head) + [weight] * len(body) + [PROMPT_WEIGHT] * len(tail)
    return [*ids, tokenizer.token_to_id(SEPARATOR)], [*weights, PROMPT_WEIGHT]


def gather(encoded: Iterator[Sample], tokens: int) -> list[Sample]:
    """Take dialogues until they hold exactly so many tokens; the last one is cut to fit."""
    taken: list[Sample] = []
    room = tokens
    while room > 0:
        ids, weights = next(encoded)
        taken.append((ids[:room], weights[:room]))
        room -= len(taken[-1][0])
    return taken


def steps(tokenizer: Tokenizer, plan: Plan, seed: int) -> Iterator[list[Sample]]:
    """Yield the dialogues of each step."""
    encoded = (
        tuple(part[: plan.context] for part in encode(tokenizer, dialogue))
        for dialogue in split(seed, held=False)
    )
    for _ in range(plan.steps):
        yield gather(encoded, plan.step_tokens)


def weighted_losses(model: Pocket, samples: list[Sample]) -> tuple[Tensor, Tensor]:
    """Return for every token the loss in nats of its successor, and that target's weight.

    The last token of a dialogue has no successor: its weight is zero.
    """
    tokens = torch.tensor([token for ids, _ in samples for token in ids])
    weights = torch.tensor([weight for _, w in samples for weight in (*w[1:], 0.0)])
    logits = model(tokens, [len(ids) for ids, _ in samples])
    losses = functional.cross_entropy(logits, tokens.roll(-1), reduction="none")
    return losses, weights


def _optimizers(model: Pocket, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, which learn in about half the tokens; AdamW for the rest."""
    matrices = [p for p in model.blk.parameters() if p.ndim > 1]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    # match_rms_adamw makes one learning rate mean the same to both; Muon bears a higher one.
    muon = torch.optim.Muon(
        [{"params": matrices, "ratio": MUON_RATIO}],
        lr=plan.peak_rate,
        weight_decay=0.1,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(
        [{"params": others, "ratio": 1.0}],
        lr=plan.peak_rate,
        betas=(0.9, 0.95),
        weight_decay=0.0,
        fused=True,
    )
    return [muon, adam]


def fit(
    model: Pocket, tokenizer: Tokenizer, plan: Plan, seed: int, save: Callable[[int], None]
) -> None:
    """Train in place; print progress, and call `save` with the tokens seen now and then."""
    optimizers = _optimizers(model, plan)
    seen, start, mean = 0, time.monotonic(), math.log(model.shape.vocabulary)
    for step, samples in enumerate(steps(tokenizer, plan, seed)):
        for group in (group for each in optimizers for group in each.param_groups):
            group["lr"] = plan.rate(step) * group["ratio"]
        losses, weights = weighted_losses(model, samples)
        loss = (losses * weights).sum() / weights.sum()
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for each in optimizers:
            each.step()
        seen += weights.numel()
        mean += 0.05 * (loss.item() - mean)
        if step % 50 == 0 or step == plan.steps - 1:
            took = time.monotonic() - start
            print(f"step {step} loss {mean:.3f} tokens {seen} after {took:.0f} s", flush=True)
            save(seen)


def main() -> None:
    """Train from scratch and save the weights with what is needed to export them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tokenizer", type=Path, default=Path("build/pocket/tokenizer.json"))
    parser.add_argument("--out", type=Path, default=Path("build/pocket/model.pt"))
    parser.add_argument("--steps", type=int, default=2400)
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
