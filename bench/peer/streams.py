"""Several prompts at once, over MQTT and to llama-server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.others import Others, wait_quiet, wait_settled
from bench.peer.pairs import StreamPair
from bench.peer.prompts import text, turn_tokens
from bench.peer.rounds import rounds
from bench.peer.server import ServerProcess
from bench.peer.serving import Edged, config
from bench.peer.turns import Player, Turns, alternate
from bench.tasks import render

if TYPE_CHECKING:
    from bench.peer.programs import Same
    from tests.rig.broker import Broker

COUNTS: Final = (4, 8)
PROMPT: Final = 48
TOKENS: Final = 64
WARM_TOKENS: Final = 8
WARM_ROUND: Final = 100_000
PAIRS: Final = 2  # at least


def measure(broker: Broker, same: Same, seconds: float) -> tuple[StreamPair, ...]:
    """As many pairs for each number of streams as there is time for."""
    each_s = seconds / len(COUNTS)
    return tuple(pair for count in COUNTS for pair in _measure(broker, same, count, each_s))


def _measure(broker: Broker, same: Same, count: int, seconds: float) -> list[StreamPair]:
    with (
        ServerProcess(same, count) as server,
        Edged(broker.port, config(same, streams=count)) as edged,
    ):
        _pair(edged, broker.pid, server, _prompts(count, WARM_ROUND), WARM_TOKENS)
        wait_settled()
        return [
            _pair(edged, broker.pid, server, _prompts(count, number), TOKENS)
            for number in rounds(seconds, PAIRS)
        ]


def _prompts(count: int, number: int) -> list[str]:
    """Texts that begin differently, so that none is known from another one."""
    return [text(number * count + stream, PROMPT - turn_tokens()) for stream in range(count)]


def _pair(
    edged: Edged, broker: int, server: ServerProcess, prompts: list[str], tokens: int
) -> StreamPair:
    """Both sides, second by second; all that compute for edged stand still together."""
    rendered = [render(prompt) for prompt in prompts]
    ours = Turns(edged.daemon.children()[0].pid, edged.daemon.pid, broker)
    theirs = Turns(server.pid)
    wait_quiet()
    others = Others()
    ours.halt()
    theirs.halt()
    asking, completing = edged.asking(prompts, tokens), server.completing(rendered, tokens)
    alternate(Player(ours, asking.over), Player(theirs, completing.over))
    ours.go()
    theirs.go()
    return StreamPair(
        asked=tuple(map(ours.timed, asking.answers())),
        served=tuple(map(theirs.timed, completing.answers())),
        others=others.cores,
    )
