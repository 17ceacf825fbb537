"""The daemon's log tells where a persona came from."""

from __future__ import annotations

import pytest

from bench.peer.warmth import known_from


@pytest.mark.parametrize(
    ("log", "source"),
    [
        ("", ""),
        ("NOTICE engine ready variant=m\n", ""),
        ("INFO persona ready persona=house tokens=1000 source=disk read_ms=40\n", "disk"),
        ("NOTICE engine ready\nINFO persona ready persona=house source=read tokens=9", "read"),
        ("INFO persona ready persona=house", ""),
    ],
)
def test_a_persona_is_known_from(log: str, source: str) -> None:
    assert known_from(log) == source
