"""One life of the child process: its birth, its sockets, its stderr and its death."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from edged.engine.codec import MAX_FRAME_BYTES
from edged.engine.frames import MAX_STREAMS
from edged.engine.stderr import StderrLines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edged.clock import Clock

# One Generate of the largest size for each stream and the urgent one, plus whatever is small; a
# child that reads nothing for so long is not one to keep.
MAX_UNSENT_BYTES = (MAX_STREAMS + 2) * MAX_FRAME_BYTES
READ_BYTES = 1 << 16
# The child gets no secret and no surprise: only what finds its code and its shared libraries.
_INHERITED = frozenset(
    {
        "PYTHONPATH",
        "PYTHONSAFEPATH",
        "PYTHONNOUSERSITE",
        "LLAMA_CPP_LIB_PATH",
        "LD_LIBRARY_PATH",
        "GLIBC_TUNABLES",
    }
)
_INHERITED_PREFIXES = ("OMP_", "GOMP_")
# OpenMP's threads spin at each barrier, on x86 for some 15 ms by default. Two threads on two
# virtual cores, where a sleep is dear, a made-up Qwen3-MoE: with this count a prompt is read as
# fast as with more, with 5,000 up to 8 percent slower and decoded 2 percent slower; asleep a token
# takes 30 ms instead of 23. Before a thread is given up to a busy neighbour he leaves a tenth of
# the rate.
# It counts looks, and x86 rests for 40 to 140 cycles between two of them. Elsewhere libgomp looks
# again at once, every two or three cycles: there it takes more looks for some 30 us, or a Pi would
# sleep at most barriers. (Reckoned from libgomp's source; not tried on a board.)
_SPINS, _RESTLESS_SPINS = "20000", "30000"
_RESTS = frozenset({"x86_64", "i686"})
# glibc asks for huge pages where it maps much: repacked weights and the cache. Without them one
# process is luckier with its pages than the next; three of each side by side, one thread, a
# made-up Qwen3-MoE at 2.70 bits: 28 to 31 tok/s with them, 22 to 28 without. A kernel that has
# none to give ignores it.
_HUGE_PAGES = "glibc.malloc.hugetlb=1"
# Each thread stays on a core of its own. Else the kernel puts two of them on one core for
# milliseconds whenever it wakes somebody else: beside a busy process two threads on two cores keep
# 0.41 of their rate instead of 0.09, and an answer that is streamed is written 6 percent faster.
# Where cores differ, the first ones may be the slow ones: there the kernel chooses.
_BOUND = {"OMP_PROC_BIND": "true"}
_DEFAULTS = {"GLIBC_TUNABLES": _HUGE_PAGES, "LANG": "C.UTF-8"}


def child_environment(
    environ: Mapping[str, str], machine: str = "", system: Path = Path("/sys")
) -> dict[str, str]:
    """The few variables of `environ` that the child needs.

    Args:
        environ: The daemon's own.
        machine: As `platform.machine` tells it; empty for this one.
        system: Where sysfs is.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    spins = _SPINS if (machine or platform.machine()) in _RESTS else _RESTLESS_SPINS
    bound = _BOUND if cores_alike(system) else {}
    return {**_DEFAULTS, **bound, "GOMP_SPINCOUNT": spins, **kept}


def cores_alike(system: Path) -> bool:
    """Whether no core is known to be slower than another one, as on big.LITTLE and hybrid CPUs.

    Args:
        system: Where sysfs is.
    """
    cores = system / "devices/system/cpu"
    try:
        capacities = {path.read_text() for path in cores.glob("cpu[0-9]*/cpu_capacity")}
    except OSError:
        return False
    return len(capacities) <= 1 and not (system / "devices/cpu_atom").exists()


class Child:
    """A running child; made by `spawn`, ended by `reap`, and never left to itself."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        main: socket.socket,
        side: socket.socket,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._main = main
        self._side = side
        self._unsent = bytearray()
        self._lines = StderrLines()
        self._stderr: asyncio.Task[None] | None = None

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        environment: Mapping[str, str],
        log: Callable[[str], None],
        clock: Clock,
    ) -> Child:
        """Execute `argv` plus the numbers of its two sockets: one for frames, one for files.

        Raises:
            OSError: The program cannot be executed, or no descriptor or process is to be had.
        """
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as failed:
            ours, fds = [], []
            for _ in range(2):
                mine, its = socket.socketpair()
                mine.settimeout(0.0)
                ours.append(failed.enter_context(mine))
                fds.append(theirs.enter_context(its).fileno())
            process = await asyncio.create_subprocess_exec(
                *argv,
                *map(str, fds),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=fds,
                env=dict(environment),
            )
            failed.pop_all()
        child = cls(process, *ours)
        child._stderr = asyncio.create_task(child._forward(log, clock), name="engine stderr")
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The last line it wrote to stderr."""
        return self._lines.last

    def send(self, data: bytes) -> bool:
        """Queue bytes without ever blocking; False when it has stopped reading."""
        if len(self._unsent) + len(data) > MAX_UNSENT_BYTES:
            return False
        self._unsent += data
        self._flush()
        return True

    def lend(self, fd: int) -> bool:
        """Pass a descriptor to it, which stays the caller's as well; False if that cannot be done.

        The frame that tells what it is for is to be sent next.
        """
        try:
            socket.send_fds(self._side, [b"\0"], [fd])
        except OSError:
            return False
        return True

    async def listen(self, take: Callable[[bytes], bool]) -> None:
        """Give `take` the bytes that come, until it wants no more or the child closes its socket.

        What it wrote before it died is read to the last byte. A stream of asyncio drops that where
        something was on the way to the child, and with it the end of a run. And no task stands
        between the socket and `take`: a piece of an answer waits for none to be woken.
        """
        over: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._main, self._readable, take, over)
        try:
            await over
        finally:
            # A closed socket is readable for ever.
            self._loop.remove_reader(self._main)

    def _readable(self, take: Callable[[bytes], bool], over: asyncio.Future[None]) -> None:
        if over.done():
            return
        try:
            data = self._main.recv(READ_BYTES)
            wanted = bool(data) and take(data)
        except BlockingIOError:
            return
        except ConnectionError:
            wanted = False
        except Exception as error:  # noqa: BLE001 - raised where `listen` is awaited
            over.set_exception(error)
            return
        if not wanted:
            over.set_result(None)

    def kill(self) -> None:
        """SIGKILL, which also ends a stopped process."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def reap(self, grace_s: float) -> tuple[str | None, int | None]:
        """Wait for its end, by force after `grace_s`.

        Returns:
            The name of the signal that ended it, or its exit status.
        """
        try:
            status = await asyncio.wait_for(self._process.wait(), grace_s)
        except TimeoutError:
            self.kill()
            status = await self._process.wait()
        if self._stderr is not None:
            await self._stderr
        return (signal.Signals(-status).name, None) if status < 0 else (None, status)

    def close(self) -> None:
        """Give up the descriptors, and the process if it still runs."""
        self.kill()
        self._loop.remove_writer(self._main)
        self._main.close()
        self._side.close()
        if self._stderr is not None:
            self._stderr.cancel()

    def _flush(self) -> None:
        try:
            del self._unsent[: self._main.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()  # nobody is left to read it, as `read` will tell
        if self._unsent:
            self._loop.add_writer(self._main, self._flush)
        else:
            self._loop.remove_writer(self._main)

    async def _forward(self, log: Callable[[str], None], clock: Clock) -> None:
        stream = self._process.stderr
        while stream is not None and (data := await stream.read(READ_BYTES)):
            for line in self._lines.feed(data, clock.monotonic()):
                log(line)
            # A flood keeps the buffer full, and a read from a full buffer never yields.
            await asyncio.sleep(0)
        for line in self._lines.close(clock.monotonic()):
            log(line)
