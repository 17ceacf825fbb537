"""Several prompts at once, over MQTT and to llama-server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.others import Others, wait_quiet, wait_settled
from bench.peer.pairs import StreamPair
from bench.peer.prompts import text, turn_tokens
from bench.peer.rounds import rounds
from bench.peer.server import ServerProcess
from bench.peer.serving import Edged, config
from bench.tasks import render

if TYPE_CHECKING:
    from bench.peer.programs import Same

COUNTS: Final = (4, 8)
PROMPT: Final = 48
TOKENS: Final = 64
WARM_TOKENS: Final = 8
WARM_ROUND: Final = 100_000
PAIRS: Final = 1


def measure(port: int, same: Same, seconds: float) -> tuple[StreamPair, ...]:
    """As many pairs for each number of streams as there is time for."""
    each_s = seconds / len(COUNTS)
    return tuple(pair for count in COUNTS for pair in _measure(port, same, count, each_s))


def _measure(port: int, same: Same, count: int, seconds: float) -> list[StreamPair]:
    with (
        ServerProcess(same, count) as server,
        Edged(port, config(same, streams=count)) as edged,
    ):
        _pair(edged, server, _prompts(count, WARM_ROUND), WARM_TOKENS, edged_first=True)
        wait_settled()
        return [
            _pair(edged, server, _prompts(count, number), TOKENS, edged_first=number % 2 == 1)
            for number in rounds(seconds, PAIRS)
        ]


def _prompts(count: int, number: int) -> list[str]:
    """Texts that begin differently, so that none is known from another one."""
    return [text(number * count + stream, PROMPT - turn_tokens()) for stream in range(count)]


def _pair(
    edged: Edged, server: ServerProcess, prompts: list[str], tokens: int, *, edged_first: bool
) -> StreamPair:
    rendered = [render(prompt) for prompt in prompts]
    wait_quiet()
    others = Others()
    if edged_first:
        asked = edged.ask_all(prompts, tokens)
        served = server.complete_all(rendered, tokens)
    else:
        served = server.complete_all(rendered, tokens)
        asked = edged.ask_all(prompts, tokens)
    return StreamPair(asked=tuple(asked), served=tuple(served), others=others.cores)
