from __future__ import annotations

import pytest

from edged.engine.worker import library


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (
            [b"", b"/usr/lib/x/libggml-base.so.0", b"/usr/lib/x/libggml-cpu-armv8.2_2.so"],
            "armv8.2_2",
        ),
        ([b"/usr/lib/x/libggml-cpu-haswell.so"], "haswell"),
        ([b"/venv/libggml-cpu.so"], ""),
        ([], ""),
    ],
)
def test_the_kind_is_in_the_name(names: list[bytes], kind: str) -> None:
    assert library.kind_of(names) == kind


def test_every_library_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def remember(names: list[bytes]) -> str:
        seen.extend(names)
        return ""

    monkeypatch.setattr(library, "kind_of", remember)
    library.backend()
    assert any(b"libc" in name for name in seen)
