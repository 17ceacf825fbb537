"""Which model file to load and what to say about it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from edged.engine.frames import Load
from edged.errors import ModelError
from edged.models.local import check_file
from edged.telemetry.state import ModelView

if TYPE_CHECKING:
    from edged.settings import Config

POCKET = Path(__file__).parents[1] / "data" / "pocket.gguf"
MAX_THREADS = 4  # a Pi 5 has four cores; more threads wait for memory, not for work
N_BATCH = 2048  # llama.cpp's default; prompts are read in chunks no longer than this


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A checked model file.

    Attributes:
        view: What `info` says about it.
        load: What the child is told.
    """

    view: ModelView
    load: Load


def find_model(config: Config) -> Model:
    """Checks the configured file, or the packaged pocket model.

    Raises:
        ModelError: The file is missing or its header is not one that native code may see.
    """
    path = Path(config.model.path) if config.model.path is not None else POCKET
    geometry = check_file(path).geometry
    if geometry.n_ctx_train < 1:
        message = f"{path}: the header gives no context length"
        raise ModelError(message)
    threads = config.engine.threads or default_threads()
    context = min(config.model.context, geometry.n_ctx_train)
    view = ModelView(
        name=config.model.name or path.stem,
        file=path.name,
        bytes=path.stat().st_size,
        architecture=geometry.architecture,
        context=context,
        context_train=geometry.n_ctx_train,
    )
    load = Load(
        path=str(path.resolve()),
        n_ctx=context,
        n_batch=min(N_BATCH, config.engine.prefill_chunk),
        threads=threads,
        threads_batch=threads,
        prefill_chunk=config.engine.prefill_chunk,
    )
    return Model(view=view, load=load)


def default_threads() -> int:
    """Physical cores this process may use, at most four."""
    allowed = len(os.sched_getaffinity(0))
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(MAX_THREADS, physical, allowed))
