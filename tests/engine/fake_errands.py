"""What the fake engine learns, saves and takes back; one token per word, as in its answers."""

from __future__ import annotations

import hashlib
import os
import socket
from collections import deque
from typing import TYPE_CHECKING

from edged.engine import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edged.engine.worker.channel import Channel

Errand = frames.Learn | frames.Restore | frames.Save | frames.Unlearn | frames.Measure
CHUNKS = 2
ENDED = object()


class Stopwatch:
    """Tells the speeds of the script, one repetition after the other.

    Args:
        channel: Where results go.
        sleep: Spends the time of one repetition.
        limit: Tokens of the context.
        speeds: Tok/s of decode with 1, 2 .. threads; prefill is ten times as fast.
    """

    def __init__(
        self,
        channel: Channel,
        sleep: Callable[[], None],
        limit: int,
        speeds: tuple[float, ...],
    ) -> None:
        self._channel = channel
        self._sleep = sleep
        self._limit = limit
        self._speeds = speeds
        self.threads = (1, 1)
        self._done = 0
        self._begun = False

    def advance(self, measure: frames.Measure, *, alone: bool) -> bool:
        """One repetition; True if that was the last one or it was given up."""
        if not alone and self._begun:
            return self._fail(measure, "interrupted", "a request came")
        if not alone:
            return False
        tokens = measure.depth + max(measure.pp, measure.tg)
        if tokens > self._limit:
            return self._fail(measure, "too_deep", f"{tokens} tokens")
        self._begun = True
        self._sleep()
        self._done += 1
        if self._done < measure.repeat:
            return False
        self._begun, self._done = False, 0
        self._channel.send(self._measured(measure))
        return True

    def _measured(self, measure: frames.Measure) -> frames.Measured:
        threads = measure.threads or self.threads[0]
        threads_batch = measure.threads_batch or self.threads[1]
        slower = 1.0 + measure.depth / 4096
        return frames.Measured(
            key=measure.key,
            pp_ms=self._ms(measure.pp, measure.repeat, 10.0 * self._speed(threads_batch)),
            tg_ms=self._ms(measure.tg, measure.repeat, self._speed(threads) / slower),
        )

    def _speed(self, threads: int) -> float:
        return self._speeds[min(threads, len(self._speeds)) - 1]

    def _ms(self, tokens: int, repeat: int, speed: float) -> tuple[float, ...]:
        return (tokens / speed * 1e3,) * repeat if tokens else ()

    def _fail(self, measure: frames.Measure, code: str, message: str) -> bool:
        self._begun, self._done = False, 0
        self._channel.send(frames.Failed(key=measure.key, code=code, message=message))
        return True


class Errands:
    """Errands one after the other, lessons only while nothing else runs.

    Args:
        channel: Where results go.
        side: Where descriptors come from.
        read: Spends the time of one chunk of a lesson: its number, their count, the text.
        limit: Words a prefix must be shorter than.
        stopwatch: Measures.
    """

    def __init__(
        self,
        channel: Channel,
        side: socket.socket,
        read: Callable[[int, int, str], None],
        limit: int,
        stopwatch: Stopwatch,
    ) -> None:
        self._channel = channel
        self._side = side
        self._read = read
        self._limit = limit
        self._stopwatch = stopwatch
        self._learnt: dict[str, list[str]] = {}
        self._lesson: Iterator[None] | None = None
        self.pending: deque[Errand] = deque()

    def cached(self, words: list[str]) -> int:
        """How many words of a prompt need not be read; the last one always is."""
        known = (len(w) for w in self._learnt.values() if words[: len(w)] == w)
        return min(max(known, default=0), max(len(words) - 1, 0))

    def perform(self, *, alone: bool) -> None:
        """Do what takes no time, or one chunk of a lesson if nothing runs."""
        while self.pending:
            errand = self.pending[0]
            if isinstance(errand, frames.Measure):
                if self._stopwatch.advance(errand, alone=alone):
                    self.pending.popleft()
                return
            if isinstance(errand, frames.Learn):
                if alone:
                    self._advance(errand)
                return
            self.pending.popleft()
            self._do(errand)

    def _advance(self, errand: frames.Learn) -> None:
        self._lesson = self._lesson or self._learn(errand)
        if next(self._lesson, ENDED) is ENDED:
            self._lesson = None
            self.pending.popleft()

    def _learn(self, errand: frames.Learn) -> Iterator[None]:
        words = _words(errand.messages)
        known, total = self.cached(words), len(words)
        if total >= self._limit:
            message = f"the prefix has {total} tokens, a run {self._limit}"
            self._fail(errand.key, "prompt_too_long", message)
            return
        try:
            for chunk in range(CHUNKS):
                self._read(chunk, CHUNKS, " ".join(words))
                done = total * (chunk + 1) // CHUNKS
                self._channel.send(frames.Prefill(key=errand.key, done=done, total=total))
                yield
        except RuntimeError as error:
            self._fail(errand.key, "learn", str(error))
            return
        self._keep(errand.key, words, known)

    def _do(self, errand: frames.Restore | frames.Save | frames.Unlearn) -> None:
        match errand:
            case frames.Restore():
                self._restore(errand)
            case frames.Save():
                self._save(errand)
            case frames.Unlearn():
                self._learnt.pop(errand.key, None)

    def _save(self, errand: frames.Save) -> None:
        fd = self._descriptor()
        if errand.key in self._learnt:
            size = os.pwrite(fd, state(self._learnt[errand.key]), 0)
            self._channel.send(frames.Saved(key=errand.key, size=size))
        else:
            self._fail(errand.key, "unknown", "no such prefix")
        os.close(fd)

    def _restore(self, errand: frames.Restore) -> None:
        fd = self._descriptor()
        words = _words(errand.messages)
        if os.pread(fd, errand.size, errand.offset) == state(words):
            self._keep(errand.key, words, len(words))
        else:
            self._fail(errand.key, "bad_state", "it is not what was saved")
        os.close(fd)

    def _keep(self, key: str, words: list[str], cached: int) -> None:
        self._learnt[key] = words
        size = len(state(words))
        self._channel.send(
            frames.Learned(key=key, tokens=len(words), cached=cached, state_bytes=size, read_ms=0.0)
        )

    def _descriptor(self) -> int:
        return socket.recv_fds(self._side, 1, 1)[1][0]

    def _fail(self, key: str, code: str, message: str) -> None:
        self._channel.send(frames.Failed(key=key, code=code, message=message))


def state(words: list[str]) -> bytes:
    """4,096 bytes by which these words are known again."""
    return hashlib.sha256(" ".join(words).encode()).digest() * 128


def _words(messages: tuple[frames.Message, ...]) -> list[str]:
    return "\n".join(message.content for message in messages).split()
