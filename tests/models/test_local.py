from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

import gguf
import numpy as np
import pytest

from edged.errors import ModelError
from edged.models import local
from edged.models.local import check_file
from tests.models.rawgguf import build
from tests.models.test_gguf import large_vocabulary
from tests.rig.openfiles import open_files

SOUND = build()


def written(folder: Path, data: bytes) -> Path:
    path = folder / "m.gguf"
    path.write_bytes(data)
    return path


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        check_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)[len(f"{path}: ") :]


def test_a_sound_file_and_a_link_to_it(tmp_path: Path) -> None:
    path = written(tmp_path, SOUND)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert check_file(path) == check_file(link)


def test_a_large_header_is_read_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, large_vocabulary(40_000))
    monkeypatch.setattr(local, "FIRST_BYTES", 1000)
    assert check_file(path).geometry.n_vocab == 40_000


def test_each_fault_is_named(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert refused(tmp_path / "none") == "No such file or directory"
    assert refused(Path("/a\0b")) == "embedded null byte"
    assert refused(tmp_path) == refused(fifo) == "not a regular file"
    assert refused(written(tmp_path, b"")) == "empty"
    assert refused(written(tmp_path, SOUND[:-1])).startswith("cut off")
    assert refused(written(tmp_path, SOUND[:100])) == "the file is too short for its counts"
    assert refused(written(tmp_path, b"\x7fELF" + SOUND)) == "not a GGUF file"
    assert refused(written(tmp_path, build(version=b"\0\0\0\3"))).startswith("big-endian")
    assert "4294967295 metadata keys" in refused(written(tmp_path, build(key_count=2**32 - 1)))


def test_a_read_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    path = written(tmp_path, SOUND)
    monkeypatch.setattr(os, "read", broken)
    assert refused(path) == "Input/output error"


def test_a_file_that_shrinks_meanwhile_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, SOUND)
    monkeypatch.setattr(os, "read", lambda *_: b"")
    assert refused(path) == "it shrinks while it is read"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = open_files()
    for data in (SOUND, SOUND[:-1], b""):
        with contextlib.suppress(ModelError):
            check_file(written(tmp_path, data))
    assert open_files() == before


def test_the_file_is_read_and_not_mapped(tmp_path: Path) -> None:
    path = written(tmp_path, SOUND + bytes(8))
    os.truncate(path, 1 << 40)  # sparse: a terabyte of zeros
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert check_file(path).geometry.name == "tiny"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert not hasattr(local, "mmap")


def test_a_file_made_by_the_gguf_package(tmp_path: Path) -> None:
    path = tmp_path / "theirs.gguf"
    writer = gguf.GGUFWriter(path, "qwen3moe")
    writer.add_block_count(3)
    writer.add_context_length(4096)
    writer.add_embedding_length(256)
    writer.add_head_count(8)
    writer.add_head_count_kv([1, 2, 1])
    writer.add_key_length(64)
    writer.add_expert_count(4)
    writer.add_expert_used_count(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b", "c"])
    writer.add_token_types([1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_chat_template("{{ x }}")
    writer.add_custom_alignment(64)
    writer.add_tensor("token_embd.weight", np.zeros((3, 256), dtype=np.float16))
    blocks = np.zeros((4, 144), dtype=np.uint8)
    writer.add_tensor("blk.0.ffn.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = check_file(path)
    model = header.geometry
    assert (model.architecture, model.head_counts_kv) == ("qwen3moe", (1, 2, 1))
    assert (model.expert_count, model.expert_used_count, model.key_length) == (4, 2, 64)
    assert header.alignment == 64
    assert [(t.name, t.type, t.dims, t.nbytes) for t in header.tensors] == [
        ("token_embd.weight", "f16", (256, 3), 1536),
        ("blk.0.ffn.weight", "q4_K", (256, 4), 576),
    ]
