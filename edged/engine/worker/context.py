"""A context of a model: room for tokens, sequences and steps. Numbers are in range by now."""

from __future__ import annotations

import math
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edged.engine.worker.batch import Batch
from edged.engine.worker.memory import Memory
from edged.engine.worker.model import NO_CONTEXT, LoadError
from edged.engine.worker.native import NO_ABORT, llama, log

if TYPE_CHECKING:
    from edged.engine.frames import Load
    from edged.engine.worker.model import Model

# Rows that one graph computes at once; larger costs compute buffer and gains nothing on a CPU.
_MAX_UBATCH = 512
# llama.cpp tells 256 sequences apart where they share their cells.
_MAX_SEQUENCES = 255
# Whole states kept of a recurrent model; each is as large as the one a run works on.
_KEPT_STATES = 8
# Options of a decision that are read side by side, and tokens of them in one step. Each row of
# logits takes 600 KB where a vocabulary has 152,000 tokens; recurrent states are larger still.
_BRANCHES = 16
_RECURRENT_BRANCHES = 1
_LESSON = 1  # a prefix that is read while nobody asks
_URGENT = 1  # one run more than streams, for who cannot wait
_KV_TYPES = MappingProxyType({"f16": llama.GGML_TYPE_F16, "q8_0": llama.GGML_TYPE_Q8_0})
_FLASH = MappingProxyType(
    {
        "auto": llama.LLAMA_FLASH_ATTN_TYPE_AUTO,
        "on": llama.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": llama.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    }
)

# What llama_decode returns.
DONE, FULL, ABORTED = 0, 1, 2


class DecodeError(Exception):
    """llama_decode refused; what was in the step is lost, the context is not."""


class Context:
    """One llama.cpp context.

    Args:
        model: What computes in it.
        load: How it is made.
        streams: Runs side by side; one more has room where that one is urgent.

    Attributes:
        seconds: That the last step took; 0 if it was not computed to its end.

    Raises:
        LoadError: With the code no_context.
    """

    def __init__(self, model: Model, load: Load, streams: int) -> None:
        # Beyond the length it was trained for a model only babbles.
        trained = model.n_ctx_train if model.n_ctx_train > 0 else load.n_ctx
        self.n_ctx = min(load.n_ctx, trained)
        self.slots = streams + _URGENT
        self.runs = self.slots + _LESSON
        self.branches = _RECURRENT_BRANCHES if model.recurrent else _BRANCHES
        self.branch_rows = self.runs + self.branches
        computed = self.runs + self.branches
        self.sequences = computed + _KEPT_STATES if model.recurrent else _MAX_SEQUENCES
        self._model = model
        # Of a window's cells only the last ones can be copied out, of a recurrent state nothing.
        tiered = not (model.recurrent or model.n_swa)
        self.host_bytes = load.prefix_bytes if tiered else 0
        prefix_tokens = 0 if self.host_bytes else load.prefix_tokens
        # The urgent one finds its room among the prefixes, so there is at least as much of that.
        cells = streams * self.n_ctx + max(prefix_tokens, self.n_ctx)
        self.native = self._create(load, cells)
        self.n_cells: int = llama.llama_n_ctx(self.native)
        self.memory = Memory(self.native, partial=not model.recurrent)
        self.threads = (load.threads, load.threads_batch)
        self.batch = Batch(load.n_batch + self.slots, self.branches)
        self.seconds = 0.0

    def _create(self, load: Load, cells: int) -> Any:
        params = llama.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = load.n_batch + self.slots
        params.n_ubatch = min(params.n_batch, _MAX_UBATCH + self.slots)
        # In a unified cache those that are only kept need not be counted, and cost no buffers.
        params.n_seq_max = self.sequences if self._model.recurrent else self.branch_rows
        params.n_outputs_max = params.n_seq_max
        params.kv_unified = True
        params.n_threads = load.threads
        params.n_threads_batch = load.threads_batch
        params.type_k = params.type_v = _KV_TYPES[load.kv_type]
        params.flash_attn_type = _FLASH[load.flash_attention]
        params.no_perf = True
        context = llama.llama_init_from_model(self._model.native, params)
        if not context:
            raise LoadError(NO_CONTEXT, log.last_error or "no memory for the context")
        return context

    def decode(self, abort: Any = NO_ABORT) -> int:
        """Compute the batch; `abort` is asked at every node of the graph and ends it if true.

        Returns:
            DONE, FULL or ABORTED.

        Raises:
            DecodeError: llama.cpp refused the batch.
        """
        self.batch.ready()
        began = time.monotonic()
        if abort is NO_ABORT:
            code = llama.llama_decode(self.native, self.batch.native)
        else:
            llama.llama_set_abort_callback(self.native, abort, None)
            try:
                code = llama.llama_decode(self.native, self.batch.native)
            finally:
                llama.llama_set_abort_callback(self.native, NO_ABORT, None)
        self.seconds = time.monotonic() - began if code == DONE else 0.0
        if code not in {DONE, FULL, ABORTED}:
            message = f"llama_decode returned {code}"
            raise DecodeError(message)
        return int(code)

    def set_threads(self, threads: int, threads_batch: int) -> None:
        """Threads for one token and for a batch, from the next step on."""
        self.threads = (threads, threads_batch)
        llama.llama_set_n_threads(self.native, threads, threads_batch)

    @property
    def cores(self) -> int:
        """Threads for the batch as it stands; llama.cpp tells by whether it is one token."""
        return self.threads[self.batch.size > 1]

    def logits_are_finite(self) -> bool:
        """Whether the last step computed numbers: bad weights load in silence and yield NaN."""
        logits = llama.llama_get_logits_ith(self.native, -1)
        return bool(logits) and math.isfinite(sum(logits[: self._model.n_vocab]))

    def close(self) -> None:
        """Free it."""
        llama.llama_batch_free(self.batch.native)
        llama.llama_free(self.native)
