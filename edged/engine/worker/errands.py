"""Errands of the daemon: read a prefix when there is time, save its state, take one back."""

from __future__ import annotations

import mmap
import os
import socket
import time
from array import array
from collections import deque
from typing import TYPE_CHECKING, NoReturn

from edged.engine.frames import (
    Failed,
    Learn,
    Learned,
    Measure,
    Prefill,
    Restore,
    Save,
    Saved,
    Unlearn,
)
from edged.engine.worker.prompt import PromptError
from edged.engine.worker.reading import BACKGROUND, Reading

if TYPE_CHECKING:
    from edged.engine.worker.channel import Channel
    from edged.engine.worker.memory import Memory
    from edged.engine.worker.prefixes import Prefixes
    from edged.engine.worker.prompt import Prompter
    from edged.engine.worker.stopwatch import Stopwatch

# A state begins with the number of its tokens and the tokens, so that nobody takes it for another.
_PROGRESS_S = 0.5
_MAX_LINE = 4000
# More than any daemon has personas; it asks for one after the other anyway.
_MAX_PENDING = 256

Errand = Learn | Restore | Save | Unlearn | Measure


class ErrandError(Exception):
    """This errand cannot be done; `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Lesson(Reading):
    """A prefix that is being read.

    Args:
        key: Of the errand.
        tokens: The prefix.
        began: Monotonic seconds.
    """

    def __init__(self, key: str, tokens: list[int], began: float) -> None:
        super().__init__(key, tokens, BACKGROUND)
        self.began = began
        self.told_at = began


class Errands:
    """What the daemon wants besides answers.

    Args:
        channel: Where results go.
        side: The socket over which descriptors come.
        prompter: Turns messages into tokens.
        prefixes: Of the context.
        memory: Of the context.
        stopwatch: Does what is to be measured.
        limit: Tokens a prefix must be shorter than.
    """

    def __init__(  # noqa: PLR0913 - what an errand may need; made in one place
        self,
        *,
        channel: Channel,
        side: socket.socket,
        prompter: Prompter,
        prefixes: Prefixes,
        memory: Memory,
        stopwatch: Stopwatch,
        limit: int,
    ) -> None:
        self._channel = channel
        self._side = side
        self._prompter = prompter
        self._prefixes = prefixes
        self._memory = memory
        self._stopwatch = stopwatch
        self._limit = limit
        self._pending: deque[Errand] = deque()
        self.lesson: Lesson | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for."""
        return not self._pending and self._free

    @property
    def _free(self) -> bool:
        return self.lesson is None and not self._stopwatch.busy

    def add(self, errand: Errand) -> bool:
        """Take one; False if there are too many."""
        if len(self._pending) >= _MAX_PENDING:
            return False
        self._pending.append(errand)
        return True

    def perform(self) -> None:
        """Do all that takes no computing; a lesson and a measurement wait for their turns."""
        while self._pending and self._free:
            errand = self._pending.popleft()
            try:
                self._perform(errand)
            except PromptError as error:
                self._fail(errand.key, error.code, str(error))
            except ErrandError as error:
                self._fail(errand.key, error.code, str(error))
            except (OSError, ValueError) as error:  # mmap of an empty file is the latter
                self._fail(errand.key, "io", str(error))

    def drop_lesson(self, code: str, message: str) -> None:
        """The present lesson cannot go on."""
        lesson = self.lesson
        if lesson is None:
            return
        self.lesson = None
        if lesson.begun:
            self._prefixes.abandon(lesson.sequence)
        self._fail(lesson.key, code, message)

    def advanced(self, now: float) -> None:
        """The present lesson has read on, or was whole from the beginning."""
        lesson = self.lesson
        if lesson is None:
            return
        if not lesson.reading:
            self.lesson = None
            self._keep(lesson.sequence, lesson.key, lesson.cached, now - lesson.began)
        elif now - lesson.told_at >= _PROGRESS_S:
            lesson.told_at = now
            total = len(lesson.prompt)
            self._channel.send(Prefill(key=lesson.key, done=lesson.position, total=total))

    def _perform(self, errand: Errand) -> None:
        match errand:
            case Learn():
                began = time.monotonic()
                self.lesson = Lesson(errand.key, self._tokens(errand), began)
            case Restore():
                self._restore(errand)
            case Save():
                self._save(errand)
            case Unlearn():
                self._prefixes.release(errand.key)
            case Measure():
                self._stopwatch.begin(errand)

    def _tokens(self, errand: Learn | Restore) -> list[int]:
        tokens = self._prompter.beginning(errand.messages)
        if not tokens or len(tokens) >= self._limit:
            message = f"the prefix has {len(tokens)} tokens, a run {self._limit}"
            _refuse("prompt_too_long", message)
        return tokens

    def _save(self, errand: Save) -> None:
        target = self._descriptor()
        try:
            if not self._prefixes.named(errand.key):
                _refuse("unknown", "no such prefix")
            with mmap.mmap(target, 0) as view:
                size = self._write(view, errand.key)
        finally:
            os.close(target)
        self._channel.send(Saved(key=errand.key, size=size))

    def _write(self, view: mmap.mmap, key: str) -> int:
        head = _head(self._prefixes.named(key))
        try:
            with self._prefixes.borrowed(key, time.monotonic()) as sequence:
                if len(view) < len(head) + self._memory.state_bytes(sequence):
                    _refuse("too_small", f"{len(view)} bytes")
                view[: len(head)] = head
                written = self._memory.save(sequence, view, len(head))
        except LookupError:
            _refuse("no_room", "the runs hold all cells")
        if not written:
            _refuse("save", "llama.cpp wrote no state")
        return len(head) + written

    def _restore(self, errand: Restore) -> None:
        began = time.monotonic()
        source = self._descriptor()
        try:
            tokens = self._tokens(errand)
            # A private copy: ctypes takes no read-only map, and the file stays as it is.
            with mmap.mmap(source, 0, flags=mmap.MAP_PRIVATE) as view:
                sequence = self._read(view, errand, tokens)
        finally:
            os.close(source)
        self._keep(sequence, errand.key, len(tokens), time.monotonic() - began)

    def _read(self, view: mmap.mmap, errand: Restore, tokens: list[int]) -> int:
        head = _head(tokens)
        offset, size = errand.offset + len(head), errand.size - len(head)
        if errand.offset + errand.size > len(view) or size <= 0:
            _refuse("bad_state", "it is cut off")
        if view[errand.offset : offset] != head:
            _refuse("bad_state", "it is of other tokens")
        now = time.monotonic()
        if not self._prefixes.room(len(tokens), now):
            _refuse("no_room", "the runs hold all cells")
        lease = self._prefixes.open([], now)
        if lease is None:
            _refuse("no_room", "all sequences run")
        self._prefixes.read(lease.sequence, tokens)
        whole = self._memory.restore(lease.sequence, view, offset, size)
        if not whole or self._memory.length(lease.sequence) != len(tokens):
            self._prefixes.abandon(lease.sequence)
            _refuse("bad_state", "llama.cpp refuses it")
        return lease.sequence

    def _descriptor(self) -> int:
        _, descriptors, _, _ = socket.recv_fds(self._side, 1, 1)
        if not descriptors:
            _refuse("no_descriptor", "none came")
        return descriptors[0]

    def _keep(self, sequence: int, key: str, cached: int, seconds: float) -> None:
        if not self._prefixes.keep(sequence, key, time.monotonic()):
            self._fail(key, "no_room", "everything that is kept has a name already")
            return
        tokens = self._prefixes.named(key)
        with self._prefixes.borrowed(key, time.monotonic()) as borrowed:
            state = self._memory.state_bytes(borrowed)
        learned = Learned(
            key=key,
            tokens=len(tokens),
            cached=cached,
            state_bytes=len(_head(tokens)) + state,
            read_ms=seconds * 1e3,
        )
        self._channel.send(learned)

    def _fail(self, key: str, code: str, message: str) -> None:
        self._channel.send(Failed(key=key, code=code, message=message[:_MAX_LINE]))


def _refuse(code: str, message: str) -> NoReturn:
    raise ErrandError(code, message)


def _head(tokens: list[int]) -> bytes:
    return array("i", [len(tokens), *tokens]).tobytes()
