"""`python -m edged.engine.worker.quantise SOURCE TARGET TYPE`: a smaller file of the same model.

Every matrix gets the one type, the embedding too, so that a file's size and speed say something
about its type. Vectors stay as they are. The same source gives the same bytes, whatever the
threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path
from types import MappingProxyType

from edged.engine.worker.model import LoadError, check_file
from edged.engine.worker.native import initialise, llama, log

USAGE = 2
# Of llama.cpp's recipes the one whose usual type this is; `pure` makes it the only one.
RECIPES = MappingProxyType(
    {
        "Q8_0": llama.LLAMA_FTYPE_MOSTLY_Q8_0,
        "Q6_K": llama.LLAMA_FTYPE_MOSTLY_Q6_K,
        "Q5_K": llama.LLAMA_FTYPE_MOSTLY_Q5_K_S,
        "Q4_K": llama.LLAMA_FTYPE_MOSTLY_Q4_K_S,
        "Q3_K": llama.LLAMA_FTYPE_MOSTLY_Q3_K_S,
        "Q2_K": llama.LLAMA_FTYPE_MOSTLY_Q2_K,
    }
)
_MAX_THREADS = 64
# Rows in memory at a time; llama.cpp's own limit of 8 GiB is all that many a board has.
_BUFFER_BYTES = 256 << 20


class QuantiseError(Exception):
    """No file was made; the text says why."""


def quantise(source: str, target: str, kind: str, threads: int = 1) -> None:
    """Write `target` with the matrices of `source` as `kind`; what was there is replaced.

    Args:
        source: A GGUF file in F32, F16 or BF16, or already quantised, which costs some quality.
        target: Another path. It is not synced, and incomplete after an error.
        kind: A key of `RECIPES`.
        threads: That compute, 1 to 64.

    Raises:
        QuantiseError: With the path or the argument that is wrong, or in llama.cpp's words.
    """
    _check(source, target, kind, threads)
    initialise()
    params = llama.llama_model_quantize_default_params()
    params.ftype = RECIPES[kind]
    params.nthread = threads
    params.pure = True
    params.allow_requantize = True
    params.max_buf_size = _BUFFER_BYTES
    failed = llama.llama_model_quantize(
        os.fsencode(source), os.fsencode(target), ctypes.byref(params)
    )
    if failed:
        message = f"{target}: {log.last_error or f'llama.cpp made none of {source}'}"
        raise QuantiseError(message)


def _check(source: str, target: str, kind: str, threads: int) -> None:
    if kind not in RECIPES:
        message = f"{kind[:40]!r}: no type that can be made; these can: {', '.join(RECIPES)}"
        raise QuantiseError(message)
    if not 1 <= threads <= _MAX_THREADS:
        message = f"threads is {threads}, and must be 1 to {_MAX_THREADS}"
        raise QuantiseError(message)
    try:
        check_file(source)
    except LoadError as error:
        raise QuantiseError(str(error)) from error
    if Path(target).exists() and Path(target).samefile(source):
        message = f"{target}: is the source itself"
        raise QuantiseError(message)
    if not Path(target).parent.is_dir():
        message = f"{target}: its folder does not exist"
        raise QuantiseError(message)


def main(arguments: list[str]) -> int:
    """Make one file; returns 0, 1 with the reason on stderr, or 2 if it was called wrongly."""
    try:
        source, target, kind, threads = (*arguments, "1")[:4]
        count = int(threads)
    except ValueError:
        sys.stderr.write("usage: quantise SOURCE TARGET TYPE [THREADS]\n")
        return USAGE
    try:
        quantise(source, target, kind, count)
    except QuantiseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    # Of native code that aborts; nobody looks at its core.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main(sys.argv[1:]))
