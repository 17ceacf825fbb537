from __future__ import annotations

import pytest

from edged.engine.backend import lack

A76 = "CPU : NEON = 1 | ARM_FMA = 1 | FP16_VA = 1 | DOTPROD = 1 | LLAMAFILE = 1 | "


@pytest.mark.parametrize(
    ("info", "missing"),
    [
        (A76, None),
        ("CPU : NEON = 1 | ARM_FMA = 1 | LLAMAFILE = 1 | ", "DOTPROD"),
        ("CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | ", "AVX2"),
        ("CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | ", None),
        ("fake", None),
        ("", None),
    ],
)
def test_what_a_processor_lacks_is_named(info: str, missing: str | None) -> None:
    told = lack(info)
    assert (told is None) is (missing is None)
    assert missing is None or missing in (told or "")
