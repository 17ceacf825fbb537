from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from edged.daemon.model import POCKET, default_threads, find_model, keeping, kind_loaded
from edged.engine.codec import encode_checked
from edged.engine.frames import Load
from edged.errors import ModelError
from edged.models.device import Roots, probe
from edged.models.figures import KINDS, NO_FLASH
from edged.models.fingerprint import is_unchanged
from edged.models.fit import MAX_PREFIX_TOKENS, MIB
from edged.models.local import check_file
from edged.models.survey import need_with
from edged.settings import Config, EngineConfig, ModelConfig
from tests.models.rawgguf import U32, build, tiny

if TYPE_CHECKING:
    from edged.models.figures import KvType


def config(path: Path | None = None, context: int = 2048, **engine: Any) -> Config:
    model = ModelConfig(path=None if path is None else str(path), context=context)
    return Config(model=model, engine=EngineConfig(**engine))


def test_the_pocket_model_is_there_with_all_defaults() -> None:
    model = find_model(Config())
    threads = default_threads()
    assert Path(model.load.path) == POCKET.resolve()
    assert (model.load.threads, model.load.threads_batch) == (threads, threads)
    assert (model.load.n_batch, model.load.prefill_chunk) == (512, 512)
    assert (model.load.streams, model.load.target_tps) == (0, 8)
    assert model.load.prefix_tokens == MAX_PREFIX_TOKENS
    assert model.view.context == model.load.n_ctx
    assert is_unchanged(POCKET, model.fingerprint)
    assert encode_checked(model.load)


def test_what_is_configured_reaches_the_child(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(build())
    model = find_model(
        config(
            path,
            threads=3,
            threads_batch=2,
            prefill_chunk=64,
            streams=4,
            target_tps=5.5,
            prefill_share=0.25,
            kv_type="q8_0",
            flash_attention="on",
            repack="off",
            prefix_cache_mib=0,
        )
    )
    said = msgspec.structs.asdict(model.load)
    assert said == {
        "path": str(path),
        "n_ctx": 512,
        "n_batch": 64,
        "threads": 3,
        "threads_batch": 2,
        "prefill_chunk": 64,
        "streams": 4,
        "target_tps": 5.5,
        "prefix_tokens": 0,
        "prefix_bytes": 0,
        "prefill_share": 0.25,
        "kv_type": "q8_0",
        "flash_attention": "on",
        "repack": False,
        "warm_up": True,
    }


def test_memory_for_prefixes_becomes_tokens(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    # 2 blocks of 1 head of 4096 + 4096: 32 KiB a token in f16, 17 KiB in q8_0
    wide = tiny() | {
        "llama.attention.head_count_kv": (U32, 1),
        "llama.attention.key_length": (U32, 4096),
        "llama.attention.value_length": (U32, 4096),
    }
    path.write_bytes(build(wide))
    for kv_type, tokens in (("f16", 32), ("q8_0", 60)):
        found = find_model(config(path, prefix_cache_mib=1, kv_type=kv_type))
        assert (found.load.prefix_tokens, found.load.prefix_bytes) == (tokens, MIB)
    assert find_model(config(path, prefix_cache_mib=65_536)).load.prefix_tokens == MAX_PREFIX_TOKENS


def test_a_named_file_has_q8_0_where_f16_has_no_room() -> None:
    usual, facts = config(POCKET), probe(Roots())
    need = need_with(usual, check_file(POCKET), facts, "f16")
    assert find_model(usual).load.kv_type == "f16"
    for engine, kind in (EngineConfig(), "q8_0"), (EngineConfig(kv_type="f16"), "f16"):
        capped = msgspec.structs.replace(usual.model, memory_mib=need // MIB)
        short = Config(model=capped, engine=engine)
        assert find_model(short).load.kv_type == kind


def test_without_flash_attention_there_is_f16_alone() -> None:
    usual = config(POCKET, flash_attention="off")
    capped = msgspec.structs.replace(usual.model, memory_mib=1)
    load = find_model(msgspec.structs.replace(usual, model=capped)).load
    assert (load.kv_type, load.flash_attention) == ("f16", "off")
    assert kind_loaded(load) == NO_FLASH


@pytest.mark.parametrize("configured", ["auto", "on"])
@pytest.mark.parametrize("kind", KINDS)
def test_keys_and_values_are_kept_in_any_way(
    configured: Literal["auto", "on"], kind: KvType
) -> None:
    load = Load(path="/m.gguf", flash_attention=configured)
    kept = keeping(load, kind)
    assert kind_loaded(kept) == kind
    assert keeping(keeping(load, NO_FLASH), "f16").flash_attention == "auto"
    assert kept.flash_attention == ("off" if kind == NO_FLASH else configured)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        find_model(config(tmp_path / "none.gguf"))
