"""A supervisor over the fake or the real child, and the list of what it posted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from edged.clock import SystemClock
from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import Delta, Done, Failed, Generate, Load, Message, Pace
from edged.engine.life import Timeouts
from edged.engine.lifecycle import Policy
from edged.engine.supervisor import WORKER, Settings, Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from edged.engine.events import EngineEvent

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_engine.py")
POCKET = ROOT / "edged" / "data" / "pocket.gguf"
# Deaths are frequent here and waiting for them is not what is tested.
QUICK = Policy(first_s=0.01, cap_s=0.05, fatal_deaths=5)
PATIENCE_S = 60.0
# Nearly any token is as likely as the end of the text, so that does not come soon.
ENDLESS: dict[str, Any] = {
    "max_tokens": 100_000,
    "temperature": 10.0,
    "seed": 1,  # by chance one in some thousand tokens would be the end
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
}
CRAWL = Pace(threads=1, threads_batch=1, idle_share=0.95)

E = TypeVar("E", bound="EngineEvent")


def script(tmp_path: Path, **fields: Any) -> Settings:
    """Settings that run the fake engine with such a script; `timeouts` and `policy` are taken."""
    timeouts = fields.pop("timeouts", Timeouts(stall_s=20.0))
    policy = fields.pop("policy", QUICK)
    path = tmp_path / "script.json"
    path.write_bytes(msgspec.json.encode(fields))
    argv = (sys.executable, str(FAKE), str(path))
    return Settings(argv=argv, timeouts=timeouts, policy=policy)


def real(**fields: Any) -> Settings:
    """Settings that run the real worker."""
    return Settings(
        **{"argv": WORKER, "policy": QUICK, "timeouts": Timeouts(stall_s=20.0), **fields}
    )


def load(**fields: Any) -> Load:
    return Load(**{"path": str(POCKET), "n_ctx": 512, "threads": 1, "threads_batch": 1, **fields})


def prompt(text: str = "turn on the light", **fields: Any) -> Generate:
    messages = (Message(role="user", content=text),)
    defaults = {"key": "k", "messages": messages, "temperature": 0.0, "max_tokens": 16}
    return Generate(**{**defaults, **fields})


class Desk:
    """Where the events arrive."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []
        self.lines: list[str] = []
        self._news = asyncio.Event()
        self._read = 0

    def post(self, event: EngineEvent) -> None:
        self.events.append(event)
        self._news.set()

    def log(self, _level: int, line: str) -> None:
        self.lines.append(line)

    async def until(self, kind: type[E], match: Callable[[E], bool] = lambda _: True) -> E:
        """The next event of that kind not yet waited for."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while self._read < len(self.events):
                    event = self.events[self._read]
                    self._read += 1
                    if isinstance(event, kind) and match(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def outcome(self) -> Done | Failed | EngineDied:
        """The end of the run."""
        return await self.until(Done | Failed | EngineDied)  # type: ignore[arg-type]

    async def ends(self, *keys: str) -> dict[str, Done | Failed]:
        """How these runs ended, in whatever order they do; each once."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = [e for e in self.events if isinstance(e, Done | Failed) and e.key in keys]
                if len(found) >= len(keys):
                    assert sorted(e.key for e in found) == sorted(keys)
                    return {e.key: e for e in found}
                self._news.clear()
                await self._news.wait()

    def text(self, key: str = "k") -> str:
        return "".join(e.text for e in self.events if isinstance(e, Delta) and e.key == key)


def running(pid: int) -> bool:
    """Whether such a process exists and is no zombie, which only its new parent can reap."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in status


def alive(pid: int) -> bool:
    """Whether such a process exists, zombies included."""
    return Path(f"/proc/{pid}").exists()


ORPHAN = """
import asyncio, sys
from edged.clock import SystemClock
from edged.engine.events import EngineUp
from edged.engine.supervisor import Settings, Supervisor
from tests.engine.harness import load

async def main():
    def post(event):
        if isinstance(event, EngineUp):
            print(supervisor.pid, flush=True)
    settings = Settings(argv=tuple(sys.argv[1:]))
    supervisor = Supervisor(load(), post, SystemClock(), settings)
    supervisor.start()
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def orphan(argv: Sequence[str]) -> None:
    """Kill a supervisor's process; its READY child must be gone soon after."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHAN, *argv, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    async with asyncio.timeout(10):
        while running(pid):  # noqa: ASYNC110 - not ours to wait for
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def engine(
    settings: Settings, frame: Load | None = None, *, wait: bool = True
) -> AsyncIterator[tuple[Supervisor, Desk]]:
    """A started supervisor, READY if `wait`; stopped at the end, and its child proven gone."""
    desk = Desk()
    supervisor = Supervisor(frame or load(), desk.post, SystemClock(), settings, desk.log)
    supervisor.start()
    try:
        if wait:
            await desk.until(EngineUp)
        yield supervisor, desk
    finally:
        pid = supervisor.pid
        await supervisor.stop()
        assert pid is None or not alive(pid)
