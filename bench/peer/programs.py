"""Where llama.cpp's programs are, what they and edged are told alike, and llama-bench."""

from __future__ import annotations

import os
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from bench.peer.reports import BenchRow, bench_rows

BENCH_TIMEOUT_S: Final = 600.0


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


def llama_bench(same: Same, *sizes: str, repetitions: int = 1) -> tuple[BenchRow, ...]:
    """Run llama-bench once; `sizes` are its options such as `-p 512`."""
    command = (str(folder() / "llama-bench"), *same.options, *sizes)
    output = ("-r", str(repetitions), "-o", "json")
    run = subprocess.run(
        (*command, *output), capture_output=True, timeout=BENCH_TIMEOUT_S, check=False
    )
    if run.returncode:
        message = f"llama-bench: exit code {run.returncode}\n{run.stderr.decode(errors='replace')}"
        raise ChildProcessError(message)
    return bench_rows(run.stdout)
