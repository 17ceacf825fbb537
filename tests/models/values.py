"""Candidates with little in them, for tests of rules."""

from __future__ import annotations

from typing import Any

from edged.models.candidates import Candidate
from edged.models.figures import Depth, Measurement, Prediction
from edged.models.fit import GIB, Budget, Need
from edged.models.reasons import Terms
from edged.models.variants import Family, Published, Quality, Variant

TERMS = Terms(Budget(have=8 * GIB, limit="memory", reserve=GIB), 8.0, "pi5-16gb")


def quality(percent: float) -> Quality:
    return Quality(percent=percent, source="test")


def published(tps: float, board: str = "pi5-16gb", **more: Any) -> Published:
    given: dict[str, Any] = {"engine": "llama.cpp", "source": "test"} | more
    return Published(board=board, tps=tps, **given)


def variant(name: str, **more: Any) -> Variant:
    usual: dict[str, Any] = {"family": "f", "file": f"{name}.gguf", "kind": "KQ", "bpw": 3.0}
    return Variant(id=name, **(usual | more))


def family(*variants: Variant, **more: Any) -> Family:
    usual: dict[str, Any] = {"id": "f", "name": "F"}
    return Family(variants=variants, **(usual | more))


def candidate(of: Family, index: int = 0, *, gib: float = 1.0, **more: Any) -> Candidate:
    usual: dict[str, Any] = {"need": Need(weights=int(gib * GIB))}
    return Candidate(family=of, variant=of.variants[index], **(usual | more))


def measurement(tps: float, **more: Any) -> Measurement:
    usual: dict[str, Any] = {
        "digest": "d",
        "board": "b",
        "error": 0.05,
        "pp": 20.0,
        "threads": 3,
        "threads_batch": 4,
        "repack": True,
        "wall": 1.0,
    }
    return Measurement(tps=tps, **(usual | more))


def prediction(tps: float, **more: Any) -> Prediction:
    usual: dict[str, Any] = {"low": tps * 0.9, "high": tps * 1.1, "threads": 3, "threads_batch": 4}
    return Prediction(tps=tps, repack=True, **(usual | more))


def depths(*pairs: tuple[int, float]) -> tuple[Depth, ...]:
    return tuple(Depth(tokens, tps) for tokens, tps in pairs)
