"""What llama-bench and llama-server of the pinned llama.cpp said once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.peer.reports import BenchRow

FOLDER = Path(__file__).with_name("recorded")


def bench_rows() -> tuple[BenchRow, ...]:
    """Its tests in their order: 512 tokens read, 128 decoded."""
    recorded = (FOLDER / "llama-bench.json").read_bytes()
    return msgspec.json.decode(recorded, type=tuple[BenchRow, ...])
