"""The plainest loop over llama.cpp's own API: what a token costs with nothing of edged around it.

`python -m bench.bare MODEL` reads tasks, one JSON object a line, and answers each with a run.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import time
from typing import TYPE_CHECKING, Final

import msgspec
from llama_cpp import llama_cpp as native

from bench.tasks import Run, Settings, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PIECE_BYTES: Final = 256  # longer than any token of a vocabulary we make
KEEP: list[object] = []  # ctypes callbacks must outlive their registration


class Bare:
    """A model and one context, driven by hand."""

    def __init__(self, path: Path | str, settings: Settings) -> None:
        _quiet()
        native.llama_backend_init()
        self._model = _load(str(path))
        self._context = _context(self._model, settings)
        self._vocab = native.llama_model_get_vocab(self._model)
        self._chunk = settings.chunk
        self._piece = ctypes.create_string_buffer(PIECE_BYTES)
        self._after = ""
        self._n_after = 0

    def run(self, task: Task) -> Run:
        """Answer a task greedily from an empty context, or from what it comes after."""
        self._reset(task.after)
        start = time.perf_counter()
        prompt = self.tokenize(task.prompt)
        self._prefill(prompt)
        pieces: list[bytes] = []
        first = last = start
        for piece in self._decode(task.tokens):
            last = time.perf_counter()
            first = first if pieces else last
            pieces.append(piece)
        return Run(
            text=b"".join(pieces).decode(errors="replace"),
            prompt_tokens=len(prompt),
            tokens=len(pieces),
            ttft_ms=(first - start) * 1e3,
            span_ms=(last - first) * 1e3,
        )

    def logits(self, prompt: str) -> list[float]:
        """The scores of every token after a prompt."""
        self._reset()
        self._prefill(self.tokenize(prompt))
        count = native.llama_vocab_n_tokens(self._vocab)
        return list(native.llama_get_logits_ith(self._context, -1)[:count])

    def tokenize(self, text: str) -> list[int]:
        """Turn text into tokens, special ones included."""
        data = text.encode()
        room = (native.llama_token * (len(data) + 1))()
        count = native.llama_tokenize(self._vocab, data, len(data), room, len(room), False, True)  # noqa: FBT003 (positional in C)
        return list(room[:count])

    def close(self) -> None:
        """Free the context and the model."""
        native.llama_free(self._context)
        native.llama_model_free(self._model)

    def _reset(self, after: str = "") -> None:
        """Let the context hold these tokens and no others."""
        memory = native.llama_get_memory(self._context)
        if after and after == self._after:
            native.llama_memory_seq_rm(memory, 0, self._n_after, -1)
            return
        native.llama_memory_clear(memory, False)  # noqa: FBT003 (positional in C)
        tokens = self.tokenize(after)
        self._prefill(tokens)
        self._after, self._n_after = after, len(tokens)

    def _prefill(self, prompt: list[int]) -> None:
        for start in range(0, len(prompt), self._chunk):
            self._eval(prompt[start : start + self._chunk])

    def _eval(self, tokens: Sequence[int]) -> None:
        array = (native.llama_token * len(tokens))(*tokens)
        code = native.llama_decode(self._context, native.llama_batch_get_one(array, len(tokens)))
        if code != 0:
            message = f"llama_decode returned {code}"
            raise RuntimeError(message)

    def _decode(self, limit: int) -> Iterator[bytes]:
        chain = _chain()
        try:
            for number in range(limit):
                token = native.llama_sampler_sample(chain, self._context, -1)
                if native.llama_vocab_is_eog(self._vocab, token):
                    return
                yield self._text(token)
                if number + 1 < limit:
                    self._eval((token,))
        finally:
            native.llama_sampler_free(chain)

    def _text(self, token: int) -> bytes:
        size = native.llama_token_to_piece(self._vocab, token, self._piece, PIECE_BYTES, 0, False)  # noqa: FBT003 (positional in C)
        return self._piece.raw[:size]


def _quiet() -> None:
    callback = native.llama_log_callback(lambda _level, _text, _data: None)
    KEEP.append(callback)
    native.llama_log_set(callback, ctypes.c_void_p(0))


def _load(path: str) -> native.llama_model_p:
    params = native.llama_model_default_params()
    params.load_mode = native.LLAMA_LOAD_MODE_MMAP
    model = native.llama_model_load_from_file(path.encode(), params)
    if model is None:
        message = f"llama.cpp refuses {path}"
        raise RuntimeError(message)
    return model


def _context(model: native.llama_model_p, settings: Settings) -> native.llama_context_p:
    params = native.llama_context_default_params()
    params.n_ctx = settings.context
    params.n_batch = params.n_ubatch = settings.chunk
    params.n_threads = params.n_threads_batch = settings.threads
    params.no_perf = True
    context = native.llama_init_from_model(model, params)
    if context is None:
        message = "llama.cpp makes no context"
        raise RuntimeError(message)
    return context


def _chain() -> native.llama_sampler_p:
    """Greedy, as `bench.asking` asks edged to be."""
    params = native.llama_sampler_chain_default_params()
    params.no_perf = True
    chain = native.llama_sampler_chain_init(params)
    native.llama_sampler_chain_add(chain, native.llama_sampler_init_greedy())
    return chain


def main(argv: Sequence[str] | None = None) -> int:
    """Answer tasks from stdin until it ends."""
    parser = argparse.ArgumentParser(prog="bench.bare", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--settings", default="{}", help="JSON")
    options = parser.parse_args(argv)
    settings = msgspec.json.decode(options.settings, type=Settings)
    bare = Bare(options.model, settings)
    for line in sys.stdin:
        run = bare.run(msgspec.json.decode(line, type=Task))
        print(msgspec.json.encode(run).decode(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
