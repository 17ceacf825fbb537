"""Reading 512 tokens and decoding 128, over MQTT and by llama-bench."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.bare_process import cpu_s
from bench.others import Others, wait_quiet, wait_settled
from bench.peer.halting import HaltingBench
from bench.peer.listener import Listener
from bench.peer.pairs import RatePair
from bench.peer.prompts import text, turn_tokens
from bench.peer.rounds import rounds
from bench.peer.serving import NODE, Edged, config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.asking import Asked
    from bench.peer.programs import Same

PROMPT: Final = 512
TOKENS: Final = 128
LOADS: Final = 2  # at least, of both sides; which pages a process gets is luck, too
READ_PAIRS, DECODED_PAIRS = 2, 4  # of each load
SHORT_PROMPT: Final = 4  # tokens before those of the template; llama-bench begins with none
WARM_SEED: Final = 1_000_000


def measure(port: int, same: Same, seconds: float) -> tuple[RatePair, ...]:
    """As many loads of both sides as there is time for, and at least LOADS, with pairs of each."""
    return tuple(
        pair for number in rounds(seconds, LOADS) for pair in _loaded(port, same, number * 100)
    )


def _loaded(port: int, same: Same, seed: int) -> Iterator[RatePair]:
    prompts, answers = (PROMPT,) * READ_PAIRS, (TOKENS,) * DECODED_PAIRS
    with (
        Edged(port, config(same, streams=1), streams=False) as edged,
        Listener(edged.client, NODE) as listener,
    ):
        worker = edged.daemon.children()[0].pid
        _read(listener, WARM_SEED)
        wait_settled()  # whoever came before may have given memory back
        with HaltingBench(same, prompts, answers) as peer:
            for number in range(READ_PAIRS):
                yield _pair(listener, worker, peer, _read, seed + number)
            for number in range(READ_PAIRS, READ_PAIRS + DECODED_PAIRS):
                yield _pair(listener, worker, peer, _decode, seed + number)


def _pair(
    listener: Listener,
    worker: int,
    peer: HaltingBench,
    ask: Callable[[Listener, int], Asked],
    seed: int,
) -> RatePair:
    """Both sides once; who begins is changed, for a load may rise or fall.

    llama-bench loads before its first test, so that it begins.
    """
    wait_quiet()
    others = Others()
    row = None if seed % 2 else peer.row()
    before = cpu_s(worker)
    asked = ask(listener, seed)
    cores = (cpu_s(worker) - before) / (asked.end_s - asked.sent_s)
    row = row or peer.row()
    return RatePair(others=others.cores, asked=asked, cores=cores, row=row)


def _read(listener: Listener, seed: int) -> Asked:
    """An answer to a long prompt."""
    return listener.ask(text(seed, PROMPT - turn_tokens()), 1)


def _decode(listener: Listener, seed: int) -> Asked:
    """A long answer; the first token ends the reading, so that llama-bench decodes as many."""
    return listener.ask(text(seed, SHORT_PROMPT), TOKENS + 1)
