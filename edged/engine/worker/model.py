"""A loaded model with its context: every number is checked here before native code sees it."""

from __future__ import annotations

import ctypes
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edged.engine.worker.beginnings import Beginnings
from edged.engine.worker.candidates import Candidates
from edged.engine.worker.native import initialise, llama, log

if TYPE_CHECKING:
    from collections.abc import Callable

_MAGIC = b"GGUF"
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
    """One model file: its weights, its vocabulary, its facts.

    Args:
        path: Of the file.
        repack: Let llama.cpp rearrange weights for this CPU.
        progress: Called with 0.0 to 1.0 while loading.

    Raises:
        LoadError: With one of the codes above.
    """

    def __init__(self, path: str, progress: Callable[[float], None], *, repack: bool) -> None:
        check_file(path)
        initialise()
        self.native = _open(path, progress, repack=repack)
        if not llama.llama_model_has_decoder(self.native) or llama.llama_model_has_encoder(
            self.native
        ):
            raise LoadError(UNSUPPORTED, "an encoder model cannot chat")
        self.n_ctx_train: int = llama.llama_model_n_ctx_train(self.native)
        self.recurrent = bool(
            llama.llama_model_is_recurrent(self.native) or llama.llama_model_is_hybrid(self.native)
        )
        self.n_swa: int = llama.llama_model_n_swa(self.native)
        self.vocab = llama.llama_model_get_vocab(self.native)
        self.n_vocab: int = llama.llama_vocab_n_tokens(self.vocab)
        self._buffer = ctypes.create_string_buffer(_PIECE_BYTES)

    @property
    def n_params(self) -> int:
        """Weights in the file."""
        return int(llama.llama_model_n_params(self.native))

    @property
    def description(self) -> str:
        """Architecture, size and quantisation in llama.cpp's words."""
        llama.llama_model_desc(self.native, self._buffer, _PIECE_BYTES)
        return _text(self._buffer.value)

    @cached_property
    def candidates(self) -> Candidates:
        """Of whoever chooses a token; 24 bytes for each of the vocabulary, once somebody asks."""
        return Candidates(self.n_vocab)

    @cached_property
    def beginnings(self) -> Beginnings:
        """Of whoever obeys a grammar, made when the first one does."""
        return Beginnings(self)

    @property
    def chat_template(self) -> str | None:
        """The template from the file's metadata."""
        source = llama.llama_model_chat_template(self.native, None)
        return None if source is None else _text(source)

    @property
    def bos(self) -> int:
        """The begin-of-text token, or -1."""
        return int(llama.llama_vocab_bos(self.vocab))

    @property
    def eos(self) -> int:
        """The end-of-text token, or -1."""
        return int(llama.llama_vocab_eos(self.vocab))

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end an answer: of a turn, and of a text."""
        ends = (self.eos, int(llama.llama_vocab_eot(self.vocab)))
        return tuple(dict.fromkeys(token for token in ends if token != _NULL_TOKEN))

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
        # No token is shorter than a byte, save one that some vocabularies put in front; where a
        # vocabulary lacks its mark of a space, each space becomes three.
        for size in (len(data) + 8, 3 * len(data) + 8):
            tokens = (llama.llama_token * size)()
            count = llama.llama_tokenize(
                self.vocab,
                data,
                len(data),
                tokens,
                size,
                False,  # noqa: FBT003 - C: whether to put special tokens around it
                special,
            )
            if count >= 0:
                return list(tokens[:count])
        message = f"{len(data)} bytes did not fit into {size} tokens"
        raise ValueError(message)

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


def _open(path: str, progress: Callable[[float], None], *, repack: bool) -> Any:
    def report(done: float, _data: object) -> bool:
        progress(done)
        return True

    params = llama.llama_model_default_params()
    params.load_mode = llama.LLAMA_LOAD_MODE_MMAP
    params.use_extra_bufts = repack
    params.progress_callback = llama.llama_progress_callback(report)
    model = llama.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise LoadError(BAD_MODEL, f"{path}: {log.last_error or 'llama.cpp refused it'}")
    return model


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
