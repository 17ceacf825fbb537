"""Text on its way out: several tokens to a frame when they come fast."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edged.engine.frames import Beat, Delta
from edged.engine.worker.channel import BEAT_S, Channel
from edged.engine.worker.sentences import Tail
from edged.engine.worker.text import REPLACEMENT, TextStream

if TYPE_CHECKING:
    from collections.abc import Sequence

# Text that grows 10 times a second is read along as easily as every token by itself; a model slower
# than that, as one that was chosen for 8 tok/s, sends each at once. A frame costs daemon, broker
# and reader 0.5 to 1 ms in which a core, and with it all threads, does not compute.
FLUSH_S = 0.1


class Output:
    """Collects the text of one run.

    Args:
        channel: Where Deltas go.
        key: The run.
        stop: Its stop strings.
    """

    def __init__(self, channel: Channel, key: str, stop: Sequence[str]) -> None:
        self._channel = channel
        self._key = key
        self._stream = TextStream(stop)
        self._tail: Tail | None = None
        self._text: list[str] = []
        self._tokens = 0
        self._flushed_at = self._added_at = 0.0
        self._due_at: float | None = None

    def add(self, piece: bytes, now: float) -> bool:
        """Take one token's bytes; True once a stop string is complete."""
        text = self._stream.feed(piece)
        self._tokens += 1
        if self._tail is not None:
            text = self._tail.feed(text)
        if text:
            self._text.append(text)
        if now - self._flushed_at >= FLUSH_S:
            # Those that are held back are counted all the same.
            if self._text or self._tail is not None:
                self._let_go(now)
            elif now - self._channel.sent_at >= BEAT_S:
                self._channel.send(Beat())
        self._added_at = now
        return self._stream.stopped

    def leave(self) -> None:
        """Send what is due, if anything is; to be called when the next token can be chosen.

        Whoever reads it then does so while that is done by one thread and the others rest, and not
        while all of them compute.
        """
        if self._due_at is not None:
            self._flush(self._due_at)

    def flush(self) -> None:
        """Send the text there is."""
        if self._text:
            self._flush(time.monotonic())

    def hold(self) -> None:
        """Let only whole sentences leave from now on, because the text may be cut."""
        if self._tail is None:
            self._tail = Tail()

    def close(self, *, cut: bool = False) -> None:
        """Send the rest, also what may have become a stop string.

        Args:
            cut: More was to come: the text ends with a sentence if it was held back, and never
                with a part of a character.
        """
        rest = self._stream.close()
        if cut:
            rest = rest.rstrip(REPLACEMENT)
        if self._tail is not None:
            rest = self._tail.close(rest, cut=cut)
        if rest:
            self._text.append(rest)
        if self._tokens or self._text:
            self._flush(time.monotonic())

    def _let_go(self, now: float) -> None:
        """Fast tokens wait until the next one can be chosen, which is sooner than FLUSH_S."""
        if self._due_at is not None or now - self._added_at >= FLUSH_S:
            self._flush(now)
        else:
            self._due_at = now

    def _flush(self, now: float) -> None:
        self._channel.send(Delta(key=self._key, text="".join(self._text), tokens=self._tokens))
        self._text.clear()
        self._tokens = 0
        self._due_at = None
        self._flushed_at = now
