"""Which of llama.cpp's libraries the loader has brought in."""

from __future__ import annotations

import ctypes
import re
from typing import Any

# One for each kind of processor, of which ggml loads the best: libggml-cpu-armv8.2_2.so
_BACKEND = re.compile(rb"libggml-cpu-([A-Za-z0-9._]{1,64})\.so")


class _Info(ctypes.Structure):
    """The beginning of dl_phdr_info."""

    _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))


_Visit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Info), ctypes.c_size_t, ctypes.c_void_p)


def backend() -> str:
    """The kind of processor that the loaded kernels are for; empty if they are for this one."""
    names: list[bytes] = []

    def visit(info: Any, _size: int, _data: object) -> int:
        names.append(info.contents.name or b"")
        return 0

    ctypes.CDLL(None).dl_iterate_phdr(_Visit(visit), None)
    return kind_of(names)


def kind_of(names: list[bytes]) -> str:
    """The same, by the names of all libraries."""
    found = (_BACKEND.search(name) for name in names)
    return next((match[1].decode() for match in found if match), "")
