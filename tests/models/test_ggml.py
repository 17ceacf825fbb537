from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

import gguf
import pytest

from edged.models.ggml import TYPES

# the gguf package adds a sum to q8_1 that ggml stores as two halves: 36 bytes, not 40
DIFFERS = {"q8_1"}


@pytest.fixture(scope="module")
def ggml() -> ctypes.CDLL:
    spec = find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        pytest.skip("needs the libraries of llama-cpp-python")
    library = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "libggml-base.so"))
    library.ggml_blck_size.restype = ctypes.c_int64
    library.ggml_type_size.restype = ctypes.c_size_t
    library.ggml_type_name.restype = ctypes.c_char_p
    return library


def test_the_table_is_what_the_engine_says(ggml: ctypes.CDLL) -> None:
    known = {}
    for number in range(43):
        block, size = ggml.ggml_blck_size(number), ggml.ggml_type_size(number)
        if block:
            known[number] = (ggml.ggml_type_name(number).decode(), block, size)
    assert known == TYPES


def test_the_table_is_what_the_gguf_package_says() -> None:
    theirs = {
        int(kind): (kind.name.lower(), *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()
    }
    assert set(theirs) <= set(TYPES)
    for number, (name, block, size) in theirs.items():
        ours = TYPES[number]
        assert (ours.name.lower(), ours.block) == (name, block)
        assert ours.size == size or name in DIFFERS
