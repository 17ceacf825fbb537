"""Which model file to load and what to say about it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from edged.engine.frames import Load
from edged.errors import ModelError
from edged.models import fit
from edged.models.cachetype import kinds
from edged.models.device import Roots, probe
from edged.models.figures import NO_FLASH, kind_of, stored_as
from edged.models.fingerprint import Fingerprint, fingerprint
from edged.models.local import check_file
from edged.models.survey import budget_of, cache_of
from edged.telemetry.state import ModelView

if TYPE_CHECKING:
    from edged.models.figures import KvType
    from edged.models.gguf import Header
    from edged.models.metadata import Geometry
    from edged.settings import Config, EngineConfig

POCKET = Path(__file__).parents[1] / "data" / "pocket.gguf"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A checked model file.

    Attributes:
        path: Of the file.
        view: What `info` says about it.
        load: What the child is told.
        fingerprint: Which model it is, for what is kept of it on disk.
    """

    path: Path
    view: ModelView
    load: Load
    fingerprint: Fingerprint


def find_model(config: Config) -> Model:
    """Checks the configured file, or the packaged pocket model.

    Keys and values of a file are kept as f16 if there is room, else as q8_0, and read by flash
    attention: what was measured is not looked at.

    Raises:
        ModelError: The file is missing or its header is not one that native code may see.
    """
    if config.model.path is None:
        return open_model(config, POCKET, config.model.name)
    path = Path(config.model.path)
    header, facts = check_file(path), probe(Roots())
    cache = cache_of(config, header, facts, budget_of(config.model, facts))
    return _model(config, path, header, config.model.name, cache.kind)


def open_model(
    config: Config, path: Path, name: str | None = None, kind: KvType | None = None
) -> Model:
    """Checks a file and says how the child is to open it.

    Args:
        config: For the engine's settings.
        path: A GGUF file.
        name: What replies call the variant; None is the file's name without its ending.
        kind: How keys and values are kept; None: as configured, and f16 where that is left open.

    Raises:
        ModelError: As `find_model`.
    """
    first, *_ = kinds(config.engine.kv_type, config.engine.flash_attention)
    return _model(config, path, check_file(path), name, kind or first)


def _model(config: Config, path: Path, header: Header, name: str | None, kind: KvType) -> Model:
    geometry = header.geometry
    if geometry.n_ctx_train < 1:
        message = f"{path}: the header gives no context length"
        raise ModelError(message)
    context = min(config.model.context, geometry.n_ctx_train)
    view = ModelView(
        name=name or path.stem,
        file=path.name,
        bytes=path.stat().st_size,
        architecture=geometry.architecture,
        context=context,
        context_train=geometry.n_ctx_train,
    )
    # Before the child opens it: what is saved later belongs to this file or to none.
    known = fingerprint(path, header.data_offset)
    load = _load(config.engine, path, context, geometry, kind)
    return Model(path=path, view=view, load=load, fingerprint=known)


def _load(engine: EngineConfig, path: Path, context: int, geometry: Geometry, kind: KvType) -> Load:
    threads = engine.threads or default_threads()
    per_token = fit.kv_bytes_per_token(geometry, stored_as(kind))
    load = Load(
        path=str(path.resolve()),
        n_ctx=context,
        n_batch=engine.prefill_chunk,
        threads=threads,
        threads_batch=engine.threads_batch or threads,
        prefill_chunk=engine.prefill_chunk,
        streams=engine.streams,
        target_tps=engine.target_tps,
        prefix_tokens=fit.tokens_in(engine.prefix_cache_mib, per_token, fit.MAX_PREFIX_TOKENS),
        prefix_bytes=engine.prefix_cache_mib * fit.MIB,
        prefill_share=engine.prefill_share,
        flash_attention=engine.flash_attention,
        repack=engine.repack != "off",
    )
    return keeping(load, kind)


def keeping(load: Load, kind: KvType) -> Load:
    """The same with keys and values kept and read in that way."""
    usual = "auto" if load.flash_attention == "off" else load.flash_attention
    flash = "off" if kind == NO_FLASH else usual
    return msgspec.structs.replace(load, kv_type=stored_as(kind), flash_attention=flash)


def kind_loaded(load: Load) -> KvType:
    """How keys and values are kept and read."""
    return kind_of(load.kv_type, flash=load.flash_attention != "off")


def default_threads() -> int:
    """Physical cores this process may use, at most four."""
    allowed = len(os.sched_getaffinity(0))
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(fit.MAX_THREADS, physical, allowed))
