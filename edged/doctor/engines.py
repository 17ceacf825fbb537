"""What running engines of this machine hold and compute with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from edged.errors import StorageError
from edged.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKER = "edged.engine.worker"
MAX_STATUS_BYTES = 65_536  # of /proc/PID/status, which has some 60 lines
MAX_MAPS_BYTES = 4 << 20  # of /proc/PID/maps, which has some 500
_ANONYMOUS = re.compile(rb"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_BACKEND = re.compile(rb"/(libggml-cpu[A-Za-z0-9._-]{0,64}?\.so)")


def held_by_engines(module: str = WORKER) -> int:
    """Bytes that the engine of a running edged would give back before another model is loaded.

    Args:
        module: Engines are known by it in their command lines.
    """
    found = (_ANONYMOUS.search(text) for text in _texts(module, "status", MAX_STATUS_BYTES))
    return sum(int(match[1]) * 1024 for match in found if match)


def backend_of_engines(module: str = WORKER) -> str | None:
    """The library with which an engine computes; None if none runs, or we may not look.

    Args:
        module: As above.
    """
    found = (_BACKEND.search(text) for text in _texts(module, "maps", MAX_MAPS_BYTES))
    return next((match[1].decode() for match in found if match), None)


def _texts(module: str, name: str, limit: int) -> Iterator[bytes]:
    """A file below /proc of each engine; of one that ended meanwhile, or another's, none."""
    for process in psutil.process_iter(["cmdline"]):
        if module in (process.info["cmdline"] or ()):
            try:
                yield read_bounded(Path(f"/proc/{process.pid}/{name}"), limit)
            except StorageError:
                continue
