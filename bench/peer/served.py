"""An answer of llama-server, timed from the client's side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.peer.reports import Chunk, Timings

if TYPE_CHECKING:
    from collections.abc import Sequence


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of llama-server as its client saw it.

    Attributes:
        text: The events joined.
        timings: What the server says.
        sent_s: When the request was begun, in monotonic seconds.
        first_s: When the first event with text came.
        end_s: When the last one came.
    """

    text: str
    timings: Timings
    sent_s: float
    first_s: float
    end_s: float

    @property
    def tokens(self) -> int:
        """Tokens in the answer."""
        return self.timings.predicted_n

    @property
    def read_tokens(self) -> int:
        """Tokens of the prompt that were read, not known."""
        return self.timings.prompt_n

    @property
    def ttft_ms(self) -> float:
        """From the request to the first event with text."""
        return (self.first_s - self.sent_s) * 1e3


def read(events: Sequence[tuple[float, Chunk]], sent_s: float) -> Served:
    """Make sense of the events of one answer, each with the second it came.

    Raises:
        ConnectionError: The last one is missing.
    """
    end_s, last = events[-1] if events else (sent_s, Chunk())
    if last.timings is None:
        message = "llama-server ended an answer without timings"
        raise ConnectionError(message)
    spoken = [at for at, event in events if event.content]
    return Served(
        text="".join(event.content for _, event in events),
        timings=last.timings,
        sent_s=sent_s,
        first_s=spoken[0] if spoken else end_s,
        end_s=end_s,
    )
