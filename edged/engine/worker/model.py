"""A loaded model with its context: every number is checked here before native code sees it."""

from __future__ import annotations

import ctypes
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edged.engine.worker.native import NO_ABORT, initialise, llama, log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edged.engine.frames import Load

_MAGIC = b"GGUF"
# Rows that one graph computes at once; larger costs compute buffer and gains nothing on a CPU.
_MAX_UBATCH = 512
# The longest token of a known vocabulary is under 256 bytes.
_PIECE_BYTES = 1024
_NULL_TOKEN = -1
_MARKER_ATTRIBUTES = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_UNKNOWN

# The codes of LoadError.
BAD_PATH = "bad_path"
BAD_MODEL = "bad_model"
UNSUPPORTED = "unsupported"
NO_CONTEXT = "no_context"
SELF_TEST = "self_test"


class LoadError(Exception):
    """The model cannot be served; `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Model:
    """One model file, one context, one sequence 0.

    Args:
        load: What to open and how.
        progress: Called with 0.0 to 1.0 while loading.

    Raises:
        LoadError: With one of the codes above.
    """

    def __init__(self, load: Load, progress: Callable[[float], None]) -> None:
        check_file(load.path)
        initialise()
        self._model = _open(load.path, progress)
        if not llama.llama_model_has_decoder(self._model) or llama.llama_model_has_encoder(
            self._model
        ):
            raise LoadError(UNSUPPORTED, "an encoder model cannot chat")
        self.n_ctx_train: int = llama.llama_model_n_ctx_train(self._model)
        self.n_batch = min(load.n_batch, load.n_ctx)
        self.context = self._new_context(load)
        self.n_ctx: int = llama.llama_n_ctx(self.context)
        self.memory = llama.llama_get_memory(self.context)
        self.vocab = llama.llama_model_get_vocab(self._model)
        self.n_vocab: int = llama.llama_vocab_n_tokens(self.vocab)
        self.batch = Batch(self.n_batch)
        self._buffer = ctypes.create_string_buffer(_PIECE_BYTES)

    def _new_context(self, load: Load) -> Any:
        params = llama.llama_context_default_params()
        # Beyond the length it was trained for a model only babbles.
        params.n_ctx = min(load.n_ctx, self.n_ctx_train) if self.n_ctx_train > 0 else load.n_ctx
        params.n_batch = self.n_batch
        params.n_ubatch = min(self.n_batch, _MAX_UBATCH)
        params.n_threads = load.threads
        params.n_threads_batch = load.threads_batch
        params.no_perf = True
        context = llama.llama_init_from_model(self._model, params)
        if not context:
            raise LoadError(NO_CONTEXT, log.last_error or "no memory for the context")
        return context

    @property
    def n_params(self) -> int:
        """Weights in the file."""
        return int(llama.llama_model_n_params(self._model))

    @property
    def description(self) -> str:
        """Architecture, size and quantisation in llama.cpp's words."""
        llama.llama_model_desc(self._model, self._buffer, _PIECE_BYTES)
        return _text(self._buffer.value)

    @property
    def chat_template(self) -> str | None:
        """The template from the file's metadata."""
        source = llama.llama_model_chat_template(self._model, None)
        return None if source is None else _text(source)

    @property
    def bos(self) -> int:
        """The begin-of-text token, or -1."""
        return int(llama.llama_vocab_bos(self.vocab))

    @property
    def eos(self) -> int:
        """The end-of-text token, or -1."""
        return int(llama.llama_vocab_eos(self.vocab))

    def token_text(self, token: int) -> str:
        """The text that stands for a token in a template; empty for -1."""
        return "" if token == _NULL_TOKEN else _text(llama.llama_vocab_get_text(self.vocab, token))

    def markers(self) -> tuple[list[str], list[str]]:
        """The texts of control tokens, and of those that are recognised in any text."""
        attribute = llama.llama_vocab_get_attr
        control: list[str] = []
        defined: list[str] = []
        for token in range(self.n_vocab):
            attributes = attribute(self.vocab, token)
            if attributes & _MARKER_ATTRIBUTES:
                control.append(self.token_text(token))
            elif attributes & llama.LLAMA_TOKEN_ATTR_USER_DEFINED:
                defined.append(self.token_text(token))
        return control, defined

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The tokens of `text`; control tokens are recognised only if `special`."""
        data = text.encode()
        # No token is shorter than a byte, save one that some vocabularies put in front.
        size = len(data) + 8
        tokens = (llama.llama_token * size)()
        add_special = False
        count = llama.llama_tokenize(
            self.vocab, data, len(data), tokens, size, add_special, special
        )
        if count < 0:
            message = f"{len(data)} bytes did not fit into {size} tokens"
            raise ValueError(message)
        return list(tokens[:count])

    def with_bos(self, tokens: list[int]) -> list[int]:
        """Put the begin-of-text token in front if this model wants it and the template did not."""
        wanted = llama.llama_vocab_get_add_bos(self.vocab) and self.bos != _NULL_TOKEN
        return [self.bos, *tokens] if wanted and tokens[:1] != [self.bos] else tokens

    def piece(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens."""
        buffer = self._buffer
        size = llama.llama_token_to_piece(
            self.vocab,
            token,
            buffer,
            _PIECE_BYTES,
            0,
            False,  # noqa: FBT003 - C
        )
        return buffer.raw[:size] if size > 0 else b""

    def keep(self, count: int) -> bool:
        """Forget all but the first `count` tokens of the sequence.

        Returns:
            False where it cannot be done, as in a recurrent model, or where the beginning is
            gone already, as behind a sliding window; the sequence must then be cleared.
        """
        if llama.llama_memory_seq_pos_min(self.memory, 0) != 0:
            return False
        return bool(llama.llama_memory_seq_rm(self.memory, 0, count, -1))

    def clear(self) -> None:
        """Forget the sequence; whole, which recurrent models can do as well."""
        llama.llama_memory_clear(self.memory, False)  # noqa: FBT003 - C

    def set_threads(self, threads: int, threads_batch: int) -> None:
        """Threads for one token and for a batch, from the next decode on."""
        llama.llama_set_n_threads(self.context, threads, threads_batch)

    def decode_prompt(self, tokens: Sequence[int], position: int, abort: Any) -> int:
        """Read a chunk of a prompt; `abort` is asked at every node of the graph.

        Returns:
            llama_decode's code: 0 done, 1 the context is full, 2 aborted, negative an error.
        """
        if len(tokens) > self.n_batch or position + len(tokens) > self.n_ctx:
            return 1
        self.batch.fill(tokens, position)
        llama.llama_set_abort_callback(self.context, abort, None)
        try:
            return int(llama.llama_decode(self.context, self.batch.native))
        finally:
            llama.llama_set_abort_callback(self.context, NO_ABORT, None)

    def logits_are_finite(self) -> bool:
        """Whether the last decode computed numbers: bad weights load in silence and yield NaN."""
        logits = llama.llama_get_logits_ith(self.context, -1)
        return bool(logits) and math.isfinite(sum(logits[: self.n_vocab]))


class Batch:
    """A llama_batch for sequence 0, allocated once and reused.

    Args:
        capacity: Tokens it can hold.
    """

    def __init__(self, capacity: int) -> None:
        self.native = llama.llama_batch_init(capacity, 0, 1)
        # Each access to a field of a structure makes a new pointer object: keep them.
        self.tokens = self.native.token
        self.positions = self.native.pos
        self._logits = self.native.logits
        for index in range(capacity):
            self.native.n_seq_id[index] = 1
            self.native.seq_id[index][0] = 0

    def fill(self, tokens: Sequence[int], position: int) -> None:
        """A chunk of prompt whose last token yields logits."""
        for index, token in enumerate(tokens):
            self.tokens[index] = token
            self.positions[index] = position + index
            self._logits[index] = 0
        self._logits[len(tokens) - 1] = 1
        self.native.n_tokens = len(tokens)

    def single(self) -> None:
        """Prepare for one token at index 0, to be set through `tokens` and `positions`."""
        self._logits[0] = 1
        self.native.n_tokens = 1


def check_file(path: str) -> None:
    """Refuse what is no readable GGUF file.

    Raises:
        LoadError: With the code bad_path or bad_model.
    """
    try:
        if not Path(path).is_file():
            raise LoadError(BAD_PATH, f"{path}: not a file")
        with Path(path).open("rb") as file:
            magic = file.read(len(_MAGIC))
    except (OSError, ValueError) as error:
        raise LoadError(BAD_PATH, f"{path}: {error}") from None
    if magic != _MAGIC:
        raise LoadError(BAD_MODEL, f"{path}: not a GGUF file")


def _open(path: str, progress: Callable[[float], None]) -> Any:
    def report(done: float, _data: object) -> bool:
        progress(done)
        return True

    params = llama.llama_model_default_params()
    params.load_mode = llama.LLAMA_LOAD_MODE_MMAP
    params.progress_callback = llama.llama_progress_callback(report)
    model = llama.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise LoadError(BAD_MODEL, f"{path}: {log.last_error or 'llama.cpp refused it'}")
    return model


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
