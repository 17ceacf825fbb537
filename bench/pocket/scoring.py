"""How far a file of the pocket model is from the best one, token by token, told by llama.cpp."""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from bench.pocket.heldout import CONTEXT
from edged.engine.worker.model import Model
from edged.engine.worker.native import llama

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy.typing as npt

    from bench.pocket.heldout import Sample

    Floats = npt.NDArray[np.float64]
    Whole = npt.NDArray[np.int64]
    Marks = npt.NDArray[np.bool_]

THREADS = 2


class Tokens(NamedTuple):
    """What a file makes of some tokens, beside the reference.

    Attributes:
        loss: Minus the logarithm of each token's probability, in nats.
        reference: The same by the reference.
        divergence: Kullback-Leibler divergence from the reference in that place, in nats.
        same: Whether both hold the same token most probable there.
    """

    loss: Floats
    reference: Floats
    divergence: Floats
    same: Marks


class Comparison(NamedTuple):
    """A file against the reference, over what assistants say.

    Attributes:
        tokens: That were compared.
        perplexity: Of the file.
        reference: Perplexity of the reference.
        divergence: Mean, in nats per token.
        error: Its standard error.
        agreement: Share of the tokens for which both hold the same one most probable.
    """

    tokens: int
    perplexity: float
    reference: float
    divergence: float
    error: float
    agreement: float

    @property
    def percent(self) -> float:
        """The quality, 0 to 100.

        Of each token that the reference would say, the file keeps some share of the probability;
        this is the geometric mean of the shares. The ratio of perplexities tends to the same, and
        is too noisy to part files of 4 and 5 bits.
        """
        return 100 * math.exp(-self.divergence)

    @property
    def percent_error(self) -> float:
        """Standard error of `percent`."""
        return self.percent * self.error


class Reader:
    """`with Reader(path) as reader:` holds a loaded file.

    Args:
        path: A GGUF file of the pocket model.

    Raises:
        LoadError: The file is not a model.
        RuntimeError: llama.cpp refuses to read.
    """

    def __init__(self, path: Path) -> None:
        self._model = Model(str(path), lambda _done: None, repack=True)
        params = llama.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_outputs_max = CONTEXT
        params.n_threads = params.n_threads_batch = THREADS
        self._context = llama.llama_init_from_model(self._model.native, params)
        if not self._context:
            message = f"{path}: llama.cpp makes no context"
            raise RuntimeError(message)
        self._batch = llama.llama_batch_init(CONTEXT, 0, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        llama.llama_batch_free(self._batch)
        llama.llama_free(self._context)
        llama.llama_model_free(self._model.native)

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, marks of turns among them."""
        return self._model.tokenize(text, special=True)

    def log_probabilities(self, ids: Sequence[int]) -> Floats:
        """For each token but the first: of every token in its place, in nats."""
        llama.llama_memory_clear(llama.llama_get_memory(self._context), True)  # noqa: FBT003 - C
        self._fill(ids)
        if (code := llama.llama_decode(self._context, self._batch)) != 0:
            message = f"llama_decode returned {code}"
            raise RuntimeError(message)
        values = ctypes.cast(llama.llama_get_logits(self._context), ctypes.POINTER(ctypes.c_float))
        logits = np.ctypeslib.as_array(values, (len(ids), self._model.n_vocab))
        return normalised(logits[:-1].astype(np.float64))

    def _fill(self, ids: Sequence[int]) -> None:
        batch: Any = self._batch
        batch.n_tokens = len(ids)
        for place, token in enumerate(ids):
            batch.token[place] = token
            batch.pos[place] = place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = 1


def normalised(logits: Floats) -> Floats:
    """Logits as logarithms of probabilities, row by row."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def judge(file: Floats, reference: Floats, targets: Whole) -> Tokens:
    """Put two readings of the same tokens side by side.

    Args:
        file: Logarithms of probabilities, a row for each token.
        reference: The same by the reference.
        targets: The tokens that came.
    """
    rows = np.arange(len(targets))
    return Tokens(
        loss=-file[rows, targets],
        reference=-reference[rows, targets],
        divergence=(np.exp(reference) * (reference - file)).sum(axis=1),
        same=file.argmax(axis=1) == reference.argmax(axis=1),
    )


def measure(
    reference: Reader, files: Sequence[Reader], samples: Iterable[Sample]
) -> list[Comparison]:
    """Let all read the same dialogues, and compare each with the reference.

    Args:
        reference: The best file.
        files: The others.
        samples: At least two tokens of assistants.
    """
    judged: list[list[Tokens]] = [[] for _ in files]
    for ids, answers in samples:
        counted = np.array(answers[1:])
        targets = np.array(ids[1:])[counted]
        known = reference.log_probabilities(ids)[counted]
        for mine, file in zip(judged, files, strict=True):
            mine.append(judge(file.log_probabilities(ids)[counted], known, targets))
    return [summed(mine) for mine in judged]


def summed(parts: Sequence[Tokens]) -> Comparison:
    """All dialogues as one comparison."""
    tokens = Tokens(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    count = len(tokens.loss)
    return Comparison(
        tokens=count,
        perplexity=math.exp(tokens.loss.mean()),
        reference=math.exp(tokens.reference.mean()),
        divergence=float(tokens.divergence.mean()),
        error=float(tokens.divergence.std(ddof=1) / math.sqrt(count)),
        agreement=float(tokens.same.mean()),
    )
