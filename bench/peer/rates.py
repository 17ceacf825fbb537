"""Reading 512 tokens and decoding 128, over MQTT and by llama-bench."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.bare_process import cpu_s
from bench.others import Others, wait_quiet, wait_settled
from bench.peer.pairs import RatePair
from bench.peer.programs import llama_bench
from bench.peer.prompts import text, turn_tokens
from bench.peer.reports import bench_row
from bench.peer.rounds import rounds
from bench.peer.serving import Edged, config

if TYPE_CHECKING:
    from bench.asking import Asked
    from bench.peer.programs import Same
    from bench.peer.reports import BenchRow

PROMPT: Final = 512
TOKENS: Final = 128
PAIRS: Final = 1
LOADS: Final = 2  # llama-bench loads for each pair; which pages a process gets is luck, too
SHORT_PROMPT: Final = 4  # tokens before those of the template; llama-bench begins with none
WARM_SEED: Final = 1_000_000


def measure(port: int, same: Same, seconds: float) -> tuple[RatePair, ...]:
    """As many pairs as there is time for, and at least PAIRS of each load."""
    each_s = seconds / LOADS
    return tuple(pair for _ in range(LOADS) for pair in _loaded(port, same, each_s))


def _loaded(port: int, same: Same, seconds: float) -> list[RatePair]:
    with Edged(port, config(same, streams=1)) as edged:
        _ask(edged, WARM_SEED)
        wait_settled()
        return [_pair(edged, same, number) for number in rounds(seconds, PAIRS)]


def _pair(edged: Edged, same: Same, number: int) -> RatePair:
    """Both sides once; who begins is changed, for a load may rise or fall."""
    wait_quiet()
    others = Others()
    if number % 2:
        asked, rows = _ask(edged, number), _bench(same)
    else:
        rows, asked = _bench(same), _ask(edged, number)
    long, cores, short = asked
    return RatePair(
        others=others.cores,
        pp_asked=long,
        pp_cores=cores,
        tg_asked=short,
        pp_bench=bench_row(rows, prompt=PROMPT),
        tg_bench=bench_row(rows, gen=TOKENS),
    )


def _ask(edged: Edged, seed: int) -> tuple[Asked, float, Asked]:
    """An answer to a long prompt, the cores that read it, and a long answer to a short one."""
    worker = edged.daemon.children()[0].pid
    before = cpu_s(worker)
    long = edged.ask(text(seed, PROMPT - turn_tokens()), 1)
    cores = (cpu_s(worker) - before) / (long.end_s - long.sent_s)
    # The first of these tokens ends the reading, so that as many are decoded as llama-bench does.
    return long, cores, edged.ask(text(seed, SHORT_PROMPT), TOKENS + 1)


def _bench(same: Same) -> tuple[BenchRow, ...]:
    rows = llama_bench(same, "-p", str(PROMPT), "-n", str(TOKENS))
    wait_settled()  # its end would slow whoever is next
    return rows
