"""Searches in scores where they lie, by operations of ggml."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from edged.engine.worker.native import llama

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A graph is of one address, and each row of a step has its own; these change with the steps' sizes.
MOST_GRAPHS: Final = 64
F32: Final = 0
POINTER: Final = ctypes.c_void_p
_ALIGNMENT: Final = 32  # ggml's, of buffers
_NODES: Final = 8  # the scores, what is found, and room
_GRAPH_BYTES: Final = 1 << 14  # some tensors and a graph of so many nodes take 4 KB
_CPU: Final = 0  # of ggml_backend_dev_type


class _InitParams(ctypes.Structure):
    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", POINTER),
        ("no_alloc", ctypes.c_bool),
    )


def bound(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of ggml's, which llama_cpp does not declare."""
    function: Callable[..., Any] = llama.ctypes_function(name, list(arguments), result)(None)
    return function


_init = bound("ggml_init", POINTER, _InitParams)
_free = bound("ggml_free", None, POINTER)
_matrix = bound(
    "ggml_new_tensor_2d", POINTER, POINTER, ctypes.c_int, ctypes.c_int64, ctypes.c_int64
)
_graph = bound("ggml_new_graph_custom", POINTER, POINTER, ctypes.c_size_t, ctypes.c_bool)
_expand = bound("ggml_build_forward_expand", None, POINTER, POINTER)
_buffer = bound("ggml_backend_cpu_buffer_from_ptr", POINTER, POINTER, ctypes.c_size_t)
_buffer_free = bound("ggml_backend_buffer_free", None, POINTER)
_place = bound("ggml_backend_tensor_alloc", ctypes.c_int, POINTER, POINTER, POINTER)
_compute = bound("ggml_backend_graph_compute", ctypes.c_int, POINTER, POINTER)
_backend = bound("ggml_backend_init_by_type", POINTER, ctypes.c_int, ctypes.c_char_p)
_device = bound("ggml_backend_get_device", POINTER, POINTER)
_registry = bound("ggml_backend_dev_backend_reg", POINTER, POINTER)
_address = bound("ggml_backend_reg_get_proc_address", POINTER, POINTER, ctypes.c_char_p)
_SetThreads = ctypes.CFUNCTYPE(None, POINTER, ctypes.c_int)


class Search(ABC):
    """A search in rows of one size; its graphs are kept.

    Args:
        size: Scores of a row.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._backend = _backend(_CPU, None)
        # More threads would wait for each other longer than the search takes.
        set_threads = _address(_registry(_device(self._backend)), b"ggml_backend_set_n_threads")
        _SetThreads(set_threads)(self._backend, 1)
        self._graphs: dict[int, int] = {}
        self._contexts: list[int] = []
        self._buffers: list[int] = []

    def close(self) -> None:
        """Forget all graphs."""
        for context in self._contexts:
            _free(context)
        for buffer in self._buffers:
            _buffer_free(buffer)
        self._graphs.clear()
        self._contexts.clear()
        self._buffers.clear()

    @abstractmethod
    def _build(self, context: int, address: int) -> Sequence[int]:
        """The tensors to compute, each where its values are to be found."""

    def _search(self, address: int) -> None:
        graph = self._graphs.get(address)
        if graph is None:
            graph = self._graphs[address] = self._made(address)
        _compute(self._backend, graph)

    def _made(self, address: int) -> int:
        if len(self._graphs) >= MOST_GRAPHS:
            self.close()
        context = _init(_InitParams(mem_size=_GRAPH_BYTES, no_alloc=True))
        self._contexts.append(context)
        graph: int = _graph(context, _NODES, False)  # noqa: FBT003 - in C
        for tensor in self._build(context, address):
            _expand(graph, tensor)
        return graph

    def _scores(self, context: int, address: int, columns: int, rows: int) -> int:
        """The scores of an address, as a matrix."""
        scores: int = _matrix(context, F32, columns, rows)
        self._put(scores, address, self._size * ctypes.sizeof(ctypes.c_float))
        return scores

    def _into(self, tensor: int, found: Any) -> int:
        """Let a tensor be computed into an array of ctypes."""
        self._put(tensor, ctypes.addressof(found), ctypes.sizeof(found))
        return tensor

    def _put(self, tensor: int, address: int, nbytes: int) -> None:
        """Let a tensor lie where memory is, which need not be aligned as a buffer must."""
        before = address % _ALIGNMENT
        # ggml rounds what a tensor takes up to its alignment.
        buffer = _buffer(address - before, before + nbytes + _ALIGNMENT)
        self._buffers.append(buffer)
        _place(buffer, tensor, address)
