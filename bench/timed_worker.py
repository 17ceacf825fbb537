"""`python -m bench.timed_worker PAGE ...`: the worker, which notes what passes between its decodes.

Only `llama_decode` is wrapped; all else is the product's own code. The notes go to a shared page.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.notes import Notebook

if TYPE_CHECKING:
    from collections.abc import Callable


def timed(decode: Callable[[Any, Any], int], notebook: Notebook) -> Callable[[Any, Any], int]:
    """The same function; before each call it notes the time since the last one ended."""
    cpu, wall = time.thread_time_ns(), time.perf_counter_ns()

    def wrapped(context: Any, batch: Any) -> int:
        nonlocal cpu, wall
        notebook.add(time.thread_time_ns() - cpu, time.perf_counter_ns() - wall, batch.n_tokens)
        code = decode(context, batch)
        cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
        return code

    return wrapped


def main() -> int:
    """Wrap, then be the worker."""
    with Path(sys.argv.pop(1)).open("r+b") as file:
        notebook = Notebook(mmap.mmap(file.fileno(), 0))
    from edged.engine.worker.__main__ import main as serve  # noqa: PLC0415 - as late as it does
    from edged.engine.worker.native import llama  # noqa: PLC0415

    llama.llama_decode = timed(llama.llama_decode, notebook)
    return serve()


if __name__ == "__main__":
    sys.exit(main())
