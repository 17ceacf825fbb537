"""A real daemon for one part of the bench, and the client that asks it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from bench import asking
from bench.asking import Asking
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess, merge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from bench.asking import Asked
    from bench.peer.programs import Same
    from tests.rig.client import Record

NODE: Final = "bench"
LOAD_TIMEOUT_S: Final = 120.0


def config(same: Same, streams: int) -> dict[str, Any]:
    """What edged is told so that it computes as its peer does."""
    return {
        "model": {"path": str(same.model), "context": same.context},
        "engine": {
            "threads": same.threads,
            "prefill_chunk": same.batch,
            "streams": streams,
        },
    }


class Edged:
    """`with Edged(broker.port, config) as edged:` returns when the model is loaded.

    Args:
        port: The broker's.
        configs: Of edged, joined.
        streams: Whether its client hears answers before they end.
    """

    def __init__(self, port: int, *configs: Mapping[str, Any], streams: bool = True) -> None:
        self.client = TestClient(port)
        self._streams = streams
        joined: dict[str, Any] = {}
        for each in configs:
            joined = merge(joined, each)
        self.daemon = DaemonProcess(port, node=NODE, config=joined)
        self.daemon.patient = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.client)
            self.client.subscribe(f"edged/{NODE}/state")
            asking.subscribe(self.client, NODE, streams=self._streams)
            begin = time.monotonic()
            stack.enter_context(self.daemon)
            self._wait_ready(begin)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def ask(self, prompt: str, tokens: int, *, system: str | None = None) -> Asked:
        """Ask for `tokens` tokens and wait for the reply."""
        return asking.ask(self.client, NODE, prompt, tokens, system=system)

    def asking(self, prompts: Sequence[str], tokens: int) -> Asking:
        """Like `ask`, with all prompts sent at once, and without waiting."""
        return Asking(self.client, NODE, prompts, tokens)

    def restart(self) -> float:
        """End the daemon, start it again and wait for the model; the second it was started."""
        self.daemon.terminate()
        begin = time.monotonic()
        self.daemon.start()
        self._wait_ready(begin)
        return begin

    def _wait_ready(self, begin: float) -> None:
        topic = f"edged/{NODE}/state"

        def ready(record: Record) -> bool:
            # A retained state, or one that came before, is that of a daemon long gone.
            fresh = record.topic == topic and record.at >= begin and not record.retain
            return fresh and record.json().get("status") == "ready"

        self.client.wait(ready, LOAD_TIMEOUT_S)
