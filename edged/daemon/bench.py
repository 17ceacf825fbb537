"""Measures a model file through a child of its own: threads, repacking, tg, pp and depths."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.daemon.model import keeping
from edged.daemon.timedchild import TimedChild
from edged.models import tuning
from edged.models.figures import Depth, Measurement
from edged.models.tuning import FULL, Plan, Sense, Setting, Tuned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edged.clock import Clock
    from edged.engine.frames import Load
    from edged.engine.supervisor import Settings

COOL_LOOK_S = 2.0  # a Pi cools by a degree or two in that time


class Bench:
    """Measures one file.

    Args:
        load: How the daemon would open it; threads and repack are tried.
        digest: Of the file, see `edged.models.fingerprint`.
        board: `DeviceFacts.fingerprint` of the board and engine.
        clock: Stamps the result.
        cores: Threads at most.
        settings: Loads to compare, at least one; the likeliest last, which saves a load.
        plan: How long to measure.
        build: Which engine computes.
        sense: Temperature and clock at this moment.
        tell: Gets what is being done and which share of that is done, 0 to 1.
        engine: Program and deadlines of the child.
        sleep: Waits for so many seconds.
    """

    def __init__(  # noqa: PLR0913 - all that differs between the daemon, the verb and a test
        self,
        load: Load,
        *,
        digest: str,
        board: str,
        clock: Clock,
        cores: int,
        settings: Sequence[Setting] = (Setting(repack=False), Setting(repack=True)),
        plan: Plan = FULL,
        build: str = "",
        sense: Callable[[], Sense] = Sense,
        tell: Callable[[str, float], None] = lambda *_: None,
        engine: Settings | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._load = load
        self._digest = digest
        self._board = board
        self._clock = clock
        self._counts = tuning.thread_counts(cores)
        self._settings = settings
        self._plan = plan
        self._build = build
        self._sense = sense
        self._tell = tell
        self._engine = engine
        self._sleep = sleep
        self._compares_caches = len({setting.kv_type for setting in settings}) > 1
        self._felt: list[Sense] = []
        self._doing = ""

    async def run(self) -> Measurement:
        """Do it all.

        Raises:
            EngineError: The child died or cannot measure.
        """
        await self._cool()
        self._felt = [self._sense()]
        tried: list[Tuned] = []
        for setting in self._settings[:-1]:
            async with self._child(setting) as child:
                tried.append(await self._tune(child, setting))
        last = self._settings[-1]
        async with self._child(last) as child:
            tried.append(await self._tune(child, last))
            best = tuning.best_setting(tried)
            if best.setting == last:
                return await self._measure(child, best, tried)
        async with self._child(best.setting) as child:
            return await self._measure(child, best, tried)

    async def _cool(self) -> None:
        """Wait for a cool start, if there is a sensor and it is hot."""
        until = self._clock.monotonic() + self._plan.cool_s
        while (temp := self._sense().temp_c) is not None and temp > tuning.COOL_C:
            if self._clock.monotonic() >= until:
                return
            self._tell(f"waiting for {tuning.COOL_C:g} C, it is {temp:.1f} C", 0.0)
            await self._sleep(COOL_LOOK_S)

    def _child(self, setting: Setting) -> TimedChild:
        self._begin(f"loading, repack {'on' if setting.repack else 'off'}")
        most = self._counts[0]
        load = replace(
            self._load,
            threads=most,
            threads_batch=most,
            streams=1,
            prefix_tokens=0,  # nothing is kept while measuring
            repack=setting.repack,
        )
        return TimedChild(keeping(load, setting.kv_type), self._clock, self._engine, self._busy)

    async def _tune(self, child: TimedChild, setting: Setting) -> Tuned:
        plan = self._plan
        decode: dict[int, float] = {}
        while (threads := tuning.next_threads(self._counts, decode)) is not None:
            self._begin(f"decode with {threads} threads")
            found = await child.measure(tg=plan.tune_tg, repeat=plan.tune_repeat, threads=threads)
            decode[threads] = tuning.rate(plan.tune_tg, found.tg_ms).tps
        prefill: dict[int, float] = {}
        read = min(plan.tune_pp, child.ready.n_ctx)
        while (threads := tuning.next_threads(self._counts, prefill)) is not None:
            self._begin(f"prefill with {threads} threads")
            found = await child.measure(pp=read, repeat=plan.tune_repeat, threads_batch=threads)
            prefill[threads] = tuning.rate(read, found.pp_ms).tps
        if not self._compares_caches:
            return Tuned(setting, decode, prefill)
        depth = max(0, min(plan.deep, child.ready.n_ctx - plan.depth_tg))
        threads, batch = tuning.best_threads(decode), tuning.best_threads(prefill)
        return Tuned(setting, decode, prefill, await self._behind(child, depth, threads, batch))

    async def _behind(self, child: TimedChild, depth: int, threads: int, batch: int) -> Depth:
        plan = self._plan
        self._begin(f"tg{plan.depth_tg} behind {depth} tokens")
        found = await child.measure(
            depth=depth,
            tg=plan.depth_tg,
            repeat=plan.depth_repeat,
            threads=threads,
            threads_batch=batch,
        )
        return Depth(depth, tuning.rate(plan.depth_tg, found.tg_ms).tps)

    async def _measure(self, child: TimedChild, best: Tuned, tried: Sequence[Tuned]) -> Measurement:
        plan = self._plan
        threads = tuning.best_threads(best.decode)
        batch = tuning.best_threads(best.prefill)
        context = child.ready.n_ctx
        read, decoded = min(plan.pp, context), min(plan.tg, context)
        self._begin(f"tg{decoded} with {threads} threads")
        found = await child.measure(tg=decoded, repeat=plan.repeat, threads=threads)
        tg = tuning.rate(decoded, found.tg_ms)
        self._begin(f"pp{read} with {batch} threads")
        # The first one pays for what is made once for a step of that size.
        found = await child.measure(pp=read, repeat=plan.repeat + 1, threads_batch=batch)
        pp = tuning.rate(read, found.pp_ms[1:])
        depths = [
            await self._behind(child, depth, threads, batch)
            for depth in tuning.depths_within(plan, context)
        ]
        self._felt.append(self._sense())
        return Measurement(
            digest=self._digest,
            board=self._board,
            tps=tg.tps,
            error=tg.error,
            pp=pp.tps,
            pp_error=pp.error,
            depths=tuning.curve(tg.tps, depths),
            threads=threads,
            threads_batch=batch,
            repack=best.setting.repack,
            kv_type=best.setting.kv_type,
            context=context,
            began_c=self._felt[0].temp_c,
            temp_c=self._felt[-1].temp_c,
            khz=self._felt[-1].khz,
            hot=tuning.is_hot(self._felt),
            tries=tuning.tries(tried),
            build=self._build,
            wall=self._clock.wall(),
        )

    def _begin(self, doing: str) -> None:
        self._doing = doing
        self._tell(doing, 0.0)

    def _busy(self, share: float) -> None:
        self._felt.append(self._sense())
        self._tell(self._doing, share)
