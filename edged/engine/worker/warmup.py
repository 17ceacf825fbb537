"""Before READY: show that the model computes, bring its pages in, and measure what it can do."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from edged.engine.worker.context import DONE, Context, DecodeError
from edged.engine.worker.model import SELF_TEST, LoadError

if TYPE_CHECKING:
    from typing import Any

    from edged.engine.frames import Load
    from edged.engine.worker.model import Model

# Prompt tokens read to warm up: with 8 of 128 experts a token, so many wake nearly all of them.
READ_TOKENS = 32
# The first step of each size pays for what is made once; the median of the next ones counts.
STEPS = 3
_SHORTEST_S = 1e-6  # a clock that stands still is no infinite speed
_TRY_TOKENS = 256  # the smallest context there is
# Doubled from 1; beyond it an answer slows although all streams together gain little.
_MOST_STREAMS = 8


class Measured(NamedTuple):
    """What a warm-up found.

    Attributes:
        rates: Tok/s of one of 1, 2, 4 ... streams at an empty context.
        read_s: Seconds for one token of a prompt.
        tokens: That were read for it.
        state_bytes: Of a sequence of them.
    """

    rates: tuple[float, ...]
    read_s: float
    tokens: int
    state_bytes: int


def warm(  # noqa: PLR0913 - all but the first two are settings
    context: Context,
    model: Model,
    streams: int,
    abort: Any,
    target: float = 0.0,
    *,
    tokens: int = READ_TOKENS,
    steps: int = STEPS,
) -> Measured:
    """Read a little and decode a little with 1, 2, 4 ... up to `streams` streams.

    Args:
        context: Where; it is left empty.
        model: Of the context.
        streams: Where to end.
        abort: llama.cpp's abort callback, which beats.
        target: Tok/s of one stream below which more streams are not tried.
        tokens: To be read.
        steps: That decode, behind a first one which counts only if there are no others.

    Raises:
        LoadError: With the code self_test: the model computes nothing that is of use.
    """
    bos = max(model.bos, 0)
    _step(context, [bos], abort)
    if not context.logits_are_finite():
        raise LoadError(SELF_TEST, "the model computes NaN: its weights are damaged")
    context.memory.drop(0)
    stride = max(1, model.n_vocab // tokens)
    spread = [min(row * stride, model.n_vocab - 1) for row in range(tokens)]
    read_s = _step(context, spread, abort) / tokens
    state_bytes = context.memory.state_bytes(0)
    context.memory.drop(0)
    rates: list[float] = []
    count = 1
    while count <= streams and (not rates or rates[-1] >= target):
        rates.append(1.0 / max(_SHORTEST_S, _decode(context, bos, count, abort, steps)))
        count *= 2
    return Measured(tuple(rates), read_s, tokens, state_bytes)


def try_streams(model: Model, load: Load, abort: Any) -> Measured:
    """Measure in a context of its own, which costs little memory; more streams than are worth it.

    Of a recurrent model each stream holds a whole state, so only who asks for more gets more.
    """
    streams = 1 if model.recurrent else _MOST_STREAMS
    context = Context(model, replace(load, n_ctx=_TRY_TOKENS, prefix_tokens=0), streams)
    try:
        return warm(context, model, streams, abort, load.target_tps)
    finally:
        context.close()


def most_streams(rates: tuple[float, ...], target: float) -> int:
    """The most streams of which each keeps the target; one where none does."""
    return max((2**power for power, rate in enumerate(rates) if rate >= target), default=1)


def _step(context: Context, tokens: list[int], abort: Any) -> float:
    context.batch.clear()
    context.batch.extend(tokens, 0, 0, logits=True)
    return _timed(context, abort)


def _decode(context: Context, token: int, count: int, abort: Any, steps: int) -> float:
    """Seconds of a step of so many streams."""
    times = []
    for position in range(steps + 1):
        context.batch.clear()
        for sequence in range(count):
            context.batch.add(token, position, sequence)
        times.append(_timed(context, abort))
    for sequence in range(count):
        context.memory.drop(sequence)
    return median(times[1:] or times)


def _timed(context: Context, abort: Any) -> float:
    began = time.monotonic()
    try:
        code = context.decode(abort)
    except DecodeError as error:
        raise LoadError(SELF_TEST, str(error)) from None
    if code != DONE:
        raise LoadError(SELF_TEST, f"llama_decode returned {code}")
    return time.monotonic() - began
