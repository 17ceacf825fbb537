"""Where llama.cpp's programs are, and what they and edged are told alike."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import msgspec


class Same(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for both sides.

    Attributes:
        model: The file.
        threads: Of decode and prefill.
        batch: Tokens of one decode call, and computed at once.
        context: Tokens of prompt and answer of one stream.
    """

    model: Path
    threads: int = 2
    batch: int = 512
    context: int = 2048

    @property
    def options(self) -> tuple[str, ...]:
        """As llama-bench and llama-server both take them; the rest is their default and ours."""
        batch, threads = str(self.batch), str(self.threads)
        numbers = ("-t", threads, "-b", batch, "-ub", batch)
        return ("-m", str(self.model), *numbers, "-fa", "auto", "-ctk", "f16", "-ctv", "f16")


def folder() -> Path:
    """Where `make peers` put the programs.

    Raises:
        FileNotFoundError: It was not run, or for another llama.cpp.
    """
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(root) / "edged" / "peers" / metadata.version("llama-cpp-python")
    if not (path / "llama-server").exists():
        message = f"there is no {path}/llama-server; run `make peers` first"
        raise FileNotFoundError(message)
    return path.resolve()
