"""The first word after a long prefix that is known: in memory, and from disk after a restart."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING, Any, Final

from bench.bare_process import BareProcess
from bench.others import Others, wait_quiet, wait_settled
from bench.peer.pairs import DiskPair, WarmPair
from bench.peer.prompts import count, text
from bench.peer.rounds import rounds
from bench.peer.server import ServerProcess
from bench.peer.serving import Edged, config
from bench.tasks import Run, Settings, Task, render, render_system

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.peer.programs import Same

PREFIX: Final = 1000
QUESTION: Final = 20
TOKENS: Final = 2  # the second one shows that the first was not held back
PERSONA: Final = "house"
PREFIX_SEED: Final = 7
RESTART_SEED: Final = 500_000
FIRST_SEED: Final = 100_000
QUESTIONS: Final = 3
LOADS: Final = 3  # of each side: by the pages that it gets a process is up to 6 percent slower
RESTARTS: Final = 1
PERSONA_TIMEOUT_S: Final = 120.0
POLL_S: Final = 0.05
READY: Final = "persona ready"  # what the daemon's log calls it
HEAD, TAIL = render("\0").split("\0")  # of a user's turn


def system() -> str:
    """A system prompt that is PREFIX tokens with the beginning of the user's turn."""
    return text(PREFIX_SEED, PREFIX - count(render_system("") + HEAD))


def question(seed: int) -> str:
    """A question that is QUESTION tokens with the end of its turn."""
    return text(seed, QUESTION - count(TAIL))


def measure(
    port: int, same: Same, seconds: float
) -> tuple[tuple[WarmPair, ...], tuple[DiskPair, ...]]:
    """Questions to all who know the prefix, then restarts of the daemon, each half of the time."""
    loads = [_loaded(port, same, seconds / 2 / LOADS) for _ in range(LOADS)]
    warm = tuple(pair for pairs, _ in loads for pair in pairs)
    return warm, tuple(pair for _, pairs in loads for pair in pairs)


def _loaded(port: int, same: Same, each_s: float) -> tuple[list[WarmPair], list[DiskPair]]:
    settings = Settings(threads=same.threads, context=same.context, chunk=same.batch)
    with (
        tempfile.TemporaryDirectory(prefix="edged-bench-") as cache,
        BareProcess(same.model, settings) as bare,
        ServerProcess(same, 1) as server,
        Edged(port, config(same, streams=1), _persona(cache)) as edged,
    ):
        _wait_persona(edged)
        _warm(edged, server, bare, FIRST_SEED)
        wait_settled()
        warm = [_warm(edged, server, bare, number) for number in rounds(each_s, QUESTIONS)]
        disk = [_restart(edged, bare, number) for number in rounds(each_s, RESTARTS)]
    return warm, disk


def _persona(cache: str) -> dict[str, Any]:
    return {
        "engine": {"cache_dir": cache},
        "personas": [{"name": PERSONA, "system": system()}],
    }


def _warm(edged: Edged, server: ServerProcess, bare: BareProcess, number: int) -> WarmPair:
    """One question to all three; each of them is first in turn."""
    ask = question(number)
    found: dict[str, Any] = {}
    sides: dict[str, Callable[[], object]] = {
        "asked": lambda: edged.ask(ask, TOKENS, system=system()),
        "served": lambda: server.chat(system(), ask, TOKENS),
        "alone": lambda: _alone(bare, ask),
    }
    names = list(sides)
    first = number % len(names)
    wait_quiet()
    others = Others()
    for name in names[first:] + names[:first]:
        found[name] = sides[name]()
    return WarmPair(**found, others=others.cores)


def _alone(bare: BareProcess, ask: str) -> Run:
    return bare.run(Task(prompt=ask + TAIL, tokens=TOKENS, after=render_system(system()) + HEAD))


def _restart(edged: Edged, bare: BareProcess, number: int) -> DiskPair:
    seen = len(edged.daemon.stderr())
    begin = edged.restart()
    source = _wait_persona(edged, seen)
    ready_s = time.monotonic() - begin
    ask = question(RESTART_SEED + number)
    wait_quiet()
    others = Others()
    asked, alone = edged.ask(ask, TOKENS, system=system()), _alone(bare, ask)
    return DiskPair(asked=asked, alone=alone, ready_s=ready_s, source=source, others=others.cores)


def _wait_persona(edged: Edged, seen: int = 0) -> str:
    """Where the persona comes from, once the daemon's log tells it after its character `seen`."""
    deadline = time.monotonic() + PERSONA_TIMEOUT_S
    while time.monotonic() < deadline:
        source = known_from(edged.daemon.stderr()[seen:])
        if source:
            return source
        time.sleep(POLL_S)
    message = f"persona {PERSONA} was not ready after {PERSONA_TIMEOUT_S} s"
    raise TimeoutError(message)


def known_from(log: str) -> str:
    """The source in the log's line that says a persona is ready, or nothing."""
    for line in log.splitlines():
        if READY in line:
            words = [word.removeprefix("source=") for word in line.split() if "source=" in word]
            return words[0] if words else ""
    return ""
