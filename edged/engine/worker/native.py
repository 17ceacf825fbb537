"""llama.cpp's C functions, without what the Python package would load around them."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

_PACKAGE = "llama_cpp"
# ggml.h: debug 1, info 2, warn 3, error 4, cont 5; the Python package's comment has them wrong.
_WARN, _ERROR, _CONTINUED = 3, 4, 5
_MAX_LINE = 400


def _low_level() -> Any:
    """Import the ctypes layer alone.

    The package's own __init__ imports numpy and the high-level classes: 110 ms and 30 MB in a
    process that uses neither.
    """
    if _PACKAGE not in sys.modules:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or spec.submodule_search_locations is None:
            message = "llama-cpp-python is not installed"
            raise ImportError(message)
        package = ModuleType(_PACKAGE)
        package.__spec__ = spec  # whoever looks for the package again finds it as it was found
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules[_PACKAGE] = package
    return importlib.import_module(f"{_PACKAGE}.{_PACKAGE}")


llama = _low_level()

NO_ABORT = llama.ggml_abort_callback()


class _Log:
    """Passes warnings and errors to stderr and remembers the last error."""

    def __init__(self) -> None:
        self.last_error = ""
        self._level = 0

    def write(self, level: int, text: bytes, _data: object) -> None:
        self._level = self._level if level == _CONTINUED else level
        if self._level not in {_WARN, _ERROR}:
            return
        line = text.decode("utf-8", "replace")
        sys.stderr.write(line)
        if self._level == _ERROR and line.strip():
            self.last_error = line.strip()[:_MAX_LINE]


log = _Log()
# Kept by name: ctypes does not keep the callback alive.
_log_callback = llama.llama_log_callback(log.write)


def initialise() -> None:
    """Route the log and start the back end; once per process."""
    llama.llama_log_set(_log_callback, ctypes.c_void_p(0))
    llama.llama_backend_init()
