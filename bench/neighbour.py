"""What decode keeps while other processes want the cores, and what they keep."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import msgspec

from bench import pool_build, synthetic
from bench.busy import neighbour, neighbours
from bench.child import Engine
from bench.neighbour_verdict import SHIPPED, Measured, judge
from bench.others import Others, wait_quiet
from bench.report import Options, Result, run
from edged.engine.frames import Load
from edged.engine.supervisor import WORKER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHAPE: Final = "overhead"
CORES: Final = os.cpu_count() or 1
CONTEXT: Final = 4096
BUSY: Final = (0, 1, 2)
ROUNDS: Final = 3
FULL_ROUNDS: Final = 9
WINDOW_S: Final = 3.0
SETTLE_S: Final = 0.5
STEP_DOWN_S: Final = 3.0  # two windows of half a second, and room for a step that was slow
ALONE_S: Final = 1.0
BACK_S: Final = 30.0  # within this the full rate should be back
BACK_SHARE: Final = 0.9
LOOK_S: Final = 1.0
STEADY: Final = (sys.executable, "-m", "bench.steady_worker")
PROMPT: Final = "The bathroom feels colder than this morning. Which window may be open?"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run the child.

    Attributes:
        threads: Of decode.
        environment: What it inherits.
        shipped: It may step down; the others never do.
    """

    threads: int = CORES
    environment: Mapping[str, str] = {}
    shipped: bool = False


SETUPS: Final[dict[str, Setup]] = {
    f"{CORES - 1 or 1} threads": Setup(threads=CORES - 1 or 1),
    f"{CORES} threads, libgomp's spinning": Setup(environment={"GOMP_SPINCOUNT": "300000"}),
    f"{CORES} threads, spinning as shipped": Setup(),
    f"{CORES} threads, asleep": Setup(
        environment={"GOMP_SPINCOUNT": "0", "OMP_WAIT_POLICY": "passive"}
    ),
    SHIPPED: Setup(shipped=True),
}


POOL: Final = f"{CORES} threads, llama.cpp's own pool"


def measure(options: Options) -> Result:
    """Decode beside busy processes, for each thread count and waiting policy."""
    if not options.full:
        return asyncio.run(_measure(SETUPS, ROUNDS))
    pool = Setup(environment=pool_build.environment())
    return asyncio.run(_measure({POOL: pool, **SETUPS}, FULL_ROUNDS))


async def _measure(setups: Mapping[str, Setup], rounds: int) -> Result:
    model = synthetic.cached(SHAPE)
    measured: list[Measured] = []
    back_s: list[float | None] = []
    async with AsyncExitStack() as stack:
        steady = {
            name: await stack.enter_async_context(_engine(model, setup))
            for name, setup in setups.items()
            if not setup.shipped
        }
        for _ in range(rounds):
            alone = _neighbour_alone()
            for count in BUSY:
                for name, engine in steady.items():
                    measured.append(await _window(engine, name, count, alone, SETTLE_S))
                async with _engine(model, SETUPS[SHIPPED]) as engine:
                    measured.append(await _window(engine, SHIPPED, count, alone, STEP_DOWN_S))
        async with _engine(model, SETUPS[SHIPPED]) as engine:
            back_s.append(await _back(engine))
    conditions: dict[str, str | float] = {
        "model": f"made up, {SHAPE}",
        "rounds": rounds,
        "window s": WINDOW_S,
    }
    return judge(measured, back_s, conditions)


def _engine(model: Path, setup: Setup) -> Engine:
    load = Load(path=str(model), n_ctx=CONTEXT, threads=setup.threads, threads_batch=setup.threads)
    return Engine(load, setup.environment, WORKER if setup.shipped else STEADY)


async def _window(engine: Engine, name: str, count: int, alone: float, settle_s: float) -> Measured:
    wait_quiet()
    with neighbours(count) as busy:
        async with engine.endless(PROMPT) as answer:
            await answer.span(settle_s)
            for one in busy:
                one.restart()
            others = Others()
            span = await answer.span(WINDOW_S)
            rates = [one.rate / alone for one in busy]
            cores = others.cores
    return Measured(
        setup=name,
        neighbours=count,
        rate=span.tokens_per_second,
        theirs=sum(rates) / count if count else None,
        others=cores,
    )


def _neighbour_alone() -> float:
    wait_quiet()
    with neighbour() as busy:
        time.sleep(ALONE_S)
        return busy.rate


async def _back(engine: Engine) -> float | None:
    """Seconds from the end of a neighbour until decoding has its full rate again."""
    full = (await engine.decode(PROMPT, settle_s=SETTLE_S, window_s=WINDOW_S)).tokens_per_second
    async with engine.endless(PROMPT) as answer:
        with neighbour():
            await answer.span(STEP_DOWN_S)
        gone = time.monotonic()
        while (past := time.monotonic() - gone) < BACK_S:
            if (await answer.span(LOOK_S)).tokens_per_second >= BACK_SHARE * full:
                return past  # when that span began
    return None


if __name__ == "__main__":
    raise SystemExit(run("neighbour", measure))
