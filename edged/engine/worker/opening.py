"""From a Load to a desk: the model opened, warmed up and measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edged.engine.frames import Load, Ready
from edged.engine.worker import warmup
from edged.engine.worker.context import Context
from edged.engine.worker.crew import Crew
from edged.engine.worker.desk import Desk
from edged.engine.worker.forecast import Forecast
from edged.engine.worker.library import backend
from edged.engine.worker.model import Model
from edged.engine.worker.native import llama
from edged.engine.worker.pacing import Pacing
from edged.engine.worker.prompt import Prompter
from edged.engine.worker.schedstat import Schedstat

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from edged.engine.worker.channel import Channel

_MAX_LINE = 4000


def open_desk(
    load: Load,
    channel: Channel,
    side: socket.socket,
    progress: Callable[[float], None],
    abort: Any,
) -> tuple[Desk, Ready]:
    """Load the model, warm it up and lay out the desk.

    Args:
        load: What to open and how.
        channel: For the desk.
        side: For the desk.
        progress: Called with 0.0 to 1.0 while loading.
        abort: llama.cpp's abort callback.

    Raises:
        LoadError: The model cannot be served.
    """
    started = time.monotonic()
    model = Model(load.path, progress, repack=load.repack)
    loaded = time.monotonic()
    streams, measured, context = _context(model, load, abort)
    prompter = Prompter(model, context.n_ctx)
    pacing = Pacing(load.prefill_chunk, load.prefill_share, streams)
    pacing.observe(measured.read_s * measured.tokens, measured.tokens, 0)
    for power, rate in enumerate(measured.rates):
        pacing.observe(1.0 / rate, 0, 2**power)
    desk = Desk(
        model=model,
        context=context,
        channel=channel,
        side=side,
        prompter=prompter,
        pacing=pacing,
        forecast=Forecast(measured.read_s, 1.0 / measured.rates[0]),
        crew=Crew(context, load.threads, load.threads_batch, Schedstat()),
        streams=streams,
        abort=abort,
    )
    ready = Ready(
        n_ctx=context.n_ctx,
        n_ctx_train=model.n_ctx_train,
        n_params=model.n_params,
        n_vocab=model.n_vocab,
        description=model.description,
        load_ms=(loaded - started) * 1e3,
        selftest_ms=(time.monotonic() - loaded) * 1e3,
        system_info=llama.llama_print_system_info().decode()[:_MAX_LINE],
        backend=backend(),
        template=prompter.source,
        warning=prompter.warning,
        streams=streams,
        n_cells=context.n_cells,
        kv_bytes=_kv_bytes(context, measured),
        kv_type=load.kv_type,
        flash_attention=load.flash_attention != "off",
        partial=context.memory.partial,
        stream_tps=measured.rates,
    )
    return desk, ready


def _kv_bytes(context: Context, measured: warmup.Measured) -> int:
    """Bytes of all that the context remembers, from those of one short sequence."""
    if context.memory.partial:
        return measured.state_bytes * context.n_cells // measured.tokens
    return measured.state_bytes * context.sequences


def _context(model: Model, load: Load, abort: Any) -> tuple[int, warmup.Measured, Context]:
    """The context for the streams asked for, or for as many as keep the target."""
    if load.streams:
        context = Context(model, load, load.streams)
        tokens, steps = (warmup.READ_TOKENS, warmup.STEPS) if load.warm_up else (1, 0)
        found = warmup.warm(context, model, load.streams, abort, tokens=tokens, steps=steps)
        return load.streams, found, context
    measured = warmup.try_streams(model, load, abort)
    streams = warmup.most_streams(measured.rates, load.target_tps)
    return streams, measured, Context(model, load, streams)
