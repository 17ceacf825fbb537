"""Reading 512 tokens and decoding 128, over MQTT and by llama-bench."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from bench.bare_process import cpu_s
from bench.others import Others, wait_quiet, wait_settled
from bench.peer.halting import HaltingBench
from bench.peer.listener import Listener
from bench.peer.pairs import RatePair
from bench.peer.prompts import text, turn_tokens
from bench.peer.rounds import rounds
from bench.peer.serving import NODE, Edged, config
from bench.peer.turns import Player, Turns, ask_beside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.asking import Asked
    from bench.peer.programs import Same
    from tests.rig.broker import Broker

PROMPT: Final = 512
TOKENS: Final = 128
LOADS: Final = 2  # at least, of both sides; which pages a process gets is luck, too
READ_PAIRS, DECODED_PAIRS = 2, 3  # of each load; by turns these differ by a hundredth or two
SHORT_PROMPT: Final = 4  # tokens before those of the template; llama-bench begins with none
WARM_SEED: Final = 1_000_000


def measure(broker: Broker, same: Same, seconds: float) -> tuple[RatePair, ...]:
    """As many loads of both sides as there is time for, and at least LOADS, with pairs of each."""
    return tuple(
        pair
        for number in rounds(seconds, LOADS)
        for pair in _loaded(broker.port, broker.pid, same, number * 100)
    )


def _loaded(port: int, broker: int, same: Same, seed: int) -> Iterator[RatePair]:
    prompts, answers = (PROMPT,) * READ_PAIRS, (TOKENS,) * DECODED_PAIRS
    with (
        Edged(port, config(same, streams=1), streams=False) as edged,
        Listener(edged.client, NODE) as listener,
    ):
        listener.ask(*_reading(WARM_SEED))
        wait_settled()  # whoever came before may have given memory back
        ours = Ours(listener, edged.daemon.children()[0].pid, edged.daemon.pid, broker)
        with HaltingBench(same, prompts, answers) as peer:
            for number in range(READ_PAIRS):
                yield _pair(ours, peer, _reading(seed + number))
            for number in range(READ_PAIRS, READ_PAIRS + DECODED_PAIRS):
                yield _pair(ours, peer, _decoding(seed + number))


class Ours:
    """Edged's side: child, daemon, broker and client stand still together.

    Args:
        listener: The client.
        worker: Pid of the child.
        others: Pids of daemon and broker.
    """

    def __init__(self, listener: Listener, worker: int, *others: int) -> None:
        self.listener = listener
        self.worker = worker
        self.turns = Turns(worker, *others, listener.pid)

    def asked(self) -> Asked:
        """The answer, in seconds that they ran."""
        return self.turns.timed(self.listener.asked())


def _pair(ours: Ours, peer: HaltingBench, question: tuple[str, int]) -> RatePair:
    """Both sides, second by second."""
    wait_quiet()
    peer.begin()
    others = Others()
    before = cpu_s(ours.worker)
    ask_beside(
        partial(ours.listener.begin, *question),
        Player(ours.turns, ours.listener.over),
        Player(peer.turns, peer.over),
    )
    asked, row = ours.asked(), peer.row()
    cores = (cpu_s(ours.worker) - before) / (asked.end_s - asked.sent_s)
    return RatePair(others=others.cores, asked=asked, cores=cores, row=row)


def _reading(seed: int) -> tuple[str, int]:
    """A long prompt, and how much to answer."""
    return text(seed, PROMPT - turn_tokens()), 1


def _decoding(seed: int) -> tuple[str, int]:
    """A long answer; the first token ends the reading, so that llama-bench decodes as many."""
    return text(seed, SHORT_PROMPT), TOKENS + 1
