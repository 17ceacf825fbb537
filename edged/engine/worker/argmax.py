"""Where the best score stands, found by ggml's own search.

llama.cpp's greedy sampler first writes every token beside its score, 1.8 MB with 152,000 of them,
and walks through those: 400 us on one core of an EPYC of 2017, where this takes 130.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Final

from edged.engine.worker.native import llama

if TYPE_CHECKING:
    from collections.abc import Callable

# A graph is of one address, and each row of a step has its own; these change with the steps' sizes.
MOST_GRAPHS: Final = 64
_ALIGNMENT: Final = 32  # ggml's, of buffers
_NODES: Final = 2  # the scores and the place
_GRAPH_BYTES: Final = 1 << 14  # two tensors and a graph of so many nodes take 2 KB
_F32: Final = 0
_CPU: Final = 0  # of ggml_backend_dev_type
_Pointer = ctypes.c_void_p


class _InitParams(ctypes.Structure):
    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", _Pointer),
        ("no_alloc", ctypes.c_bool),
    )


def _bound(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function: Callable[..., Any] = llama.ctypes_function(name, list(arguments), result)(None)
    return function


_init = _bound("ggml_init", _Pointer, _InitParams)
_free = _bound("ggml_free", None, _Pointer)
_tensor = _bound("ggml_new_tensor_1d", _Pointer, _Pointer, ctypes.c_int, ctypes.c_int64)
_argmax = _bound("ggml_argmax", _Pointer, _Pointer, _Pointer)
_graph = _bound("ggml_new_graph_custom", _Pointer, _Pointer, ctypes.c_size_t, ctypes.c_bool)
_expand = _bound("ggml_build_forward_expand", None, _Pointer, _Pointer)
_buffer = _bound("ggml_backend_cpu_buffer_from_ptr", _Pointer, _Pointer, ctypes.c_size_t)
_buffer_free = _bound("ggml_backend_buffer_free", None, _Pointer)
_place = _bound("ggml_backend_tensor_alloc", ctypes.c_int, _Pointer, _Pointer, _Pointer)
_compute = _bound("ggml_backend_graph_compute", ctypes.c_int, _Pointer, _Pointer)
_backend = _bound("ggml_backend_init_by_type", _Pointer, ctypes.c_int, ctypes.c_char_p)
_device = _bound("ggml_backend_get_device", _Pointer, _Pointer)
_registry = _bound("ggml_backend_dev_backend_reg", _Pointer, _Pointer)
_address = _bound("ggml_backend_reg_get_proc_address", _Pointer, _Pointer, ctypes.c_char_p)
_SetThreads = ctypes.CFUNCTYPE(None, _Pointer, ctypes.c_int)


class Argmax:
    """Searches scores where they lie.

    Args:
        size: Scores of a row.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._backend = _backend(_CPU, None)
        # More threads would wait for each other longer than the search takes.
        set_threads = _address(_registry(_device(self._backend)), b"ggml_backend_set_n_threads")
        _SetThreads(set_threads)(self._backend, 1)
        self._found = (ctypes.c_int32 * 1)()
        self._graphs: dict[int, int] = {}
        self._contexts: list[int] = []
        self._buffers: list[int] = []

    def at(self, address: int) -> int:
        """The place of the highest of the scores at an address; of equal ones any."""
        graph = self._graphs.get(address)
        if graph is None:
            graph = self._graphs[address] = self._made(address)
        _compute(self._backend, graph)
        return self._found[0]

    def _made(self, address: int) -> int:
        if len(self._graphs) >= MOST_GRAPHS:
            self.close()
        context = _init(_InitParams(mem_size=_GRAPH_BYTES, no_alloc=True))
        self._contexts.append(context)
        scores = _tensor(context, _F32, self._size)
        best = _argmax(context, scores)
        self._put(scores, address, self._size * ctypes.sizeof(ctypes.c_float))
        self._put(best, ctypes.addressof(self._found), ctypes.sizeof(self._found))
        graph: int = _graph(context, _NODES, False)  # noqa: FBT003 - in C
        _expand(graph, best)
        return graph

    def _put(self, tensor: int, address: int, nbytes: int) -> None:
        """Let a tensor lie where memory is, which need not be aligned as a buffer must."""
        before = address % _ALIGNMENT
        # ggml rounds what a tensor takes up to its alignment.
        buffer = _buffer(address - before, before + nbytes + _ALIGNMENT)
        self._buffers.append(buffer)
        _place(buffer, tensor, address)

    def close(self) -> None:
        """Forget all graphs."""
        for context in self._contexts:
            _free(context)
        for buffer in self._buffers:
            _buffer_free(buffer)
        self._graphs.clear()
        self._contexts.clear()
        self._buffers.clear()
