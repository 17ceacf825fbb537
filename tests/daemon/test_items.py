from __future__ import annotations

from edged.daemon.items import Tick, text_alone
from edged.engine.frames import Beat, Delta

TEXT = Delta(key="k", text="a", tokens=1)


def test_only_text_is_text() -> None:
    assert text_alone([TEXT, TEXT])
    for other in (Tick(), Beat(), "text"):
        assert not text_alone([TEXT, other])
