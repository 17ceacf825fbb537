"""A persona's way: read, kept in memory, written to the disk, taken back by a new worker."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING, Final

from bench.direct import Direct
from bench.footprint import Footprint, footprint, larger
from bench.full_verdict import Persona
from bench.peer import prompts
from edged.engine.frames import Learn, Learned, Message, Restore, Save, Saved

if TYPE_CHECKING:
    from pathlib import Path

    from edged.engine.frames import Load

TOKENS: Final = 1000  # of the persona
QUESTION_TOKENS: Final = 20
QUESTIONS: Final = 3
KEY: Final = "persona"
SYSTEM: Final = Message(role="system", content=prompts.text(1, TOKENS))


def measure(load: Load, folder: Path) -> tuple[Persona, Footprint]:
    """One persona with the cache that `load` asks for; its state goes to a file in `folder`."""
    with tempfile.TemporaryFile(dir=folder) as file:
        with Direct(load) as worker:
            cold = _ask(worker, 0)
            memory = [_ask(worker, 1 + number) for number in range(QUESTIONS)]
            learned, size, save_s = _save(worker, file.fileno())
            peak = footprint(worker.pid)
        # As after a restart of the machine: nothing of it is in the page cache.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with Direct(load) as worker:
            restored = _restore(worker, file.fileno(), size)
            disk = [_ask(worker, 100 + number) for number in range(QUESTIONS)]
            peak = larger(peak, footprint(worker.pid))
    persona = Persona(
        kv_type=load.kv_type,
        tokens=learned.tokens,
        state_bytes=size,
        save_s=save_s,
        restore_ms=restored.read_ms,
        cold_ms=cold,
        memory_ms=tuple(memory),
        disk_ms=tuple(disk),
    )
    return persona, peak


def _ask(worker: Direct, number: int) -> float:
    """TTFT in milliseconds of a question that was not asked before."""
    question = Message(role="user", content=prompts.text(2 + number, QUESTION_TOKENS))
    (done,) = worker.answer(worker.ask(SYSTEM, question, max_tokens=1))
    return done.ttft_ms


def _save(worker: Direct, file: int) -> tuple[Learned, int, float]:
    """Let the worker keep the persona, and write its state."""
    learned = worker.errand(Learn(key=KEY, messages=(SYSTEM,)), Learned)
    began = time.monotonic()
    memory = os.memfd_create("edged-bench")
    try:
        os.ftruncate(memory, learned.state_bytes)
        saved = worker.errand(Save(key=KEY), Saved, memory)
        left, offset = saved.size, 0
        while left > 0:
            sent = os.sendfile(file, memory, offset, left)
            left, offset = left - sent, offset + sent
        os.fsync(file)
    finally:
        os.close(memory)
    return learned, saved.size, time.monotonic() - began


def _restore(worker: Direct, file: int, size: int) -> Learned:
    errand = Restore(key=KEY, messages=(SYSTEM,), offset=0, size=size)
    return worker.errand(errand, Learned, file)
