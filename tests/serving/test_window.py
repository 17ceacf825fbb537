"""Replies are remembered for a while, and only so many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.serving import window as module
from edged.serving.row import StoredReply
from edged.serving.window import MAX_FINGERPRINTS, Answered, DuplicateWindow

if TYPE_CHECKING:
    import pytest


def answered(fingerprint: str | None = None, *, size: int = 10) -> Answered:
    reply = StoredReply(id="r", payload=b"x" * size)
    return Answered(reply=reply, accepted_at=0.0, fingerprint=fingerprint)


def test_opens_when_the_broker_has_the_reply() -> None:
    window = DuplicateWindow(100.0)
    window.add("a", answered())
    assert window.expire(1e6) == []
    assert window.unconfirmed == 1
    assert window.take("a", 1e6)
    assert not window.take("a", 1e6)
    assert not window.take("b", 1e6)
    assert window.unconfirmed == 0
    assert window.expire(1e6 + 100) == []
    assert window.get("a") is not None
    assert window.expire(1e6 + 101) == ["a"]
    assert window.get("a") is None


def test_count_is_bounded() -> None:
    window = DuplicateWindow(100.0, max_replies=2)
    for key in "abc":
        window.add(key, answered())
        window.take(key, 1.0)
    assert window.expire(1.0) == ["a"]
    assert [key for key, _ in window.items()] == ["b", "c"]


def test_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 25)
    window = DuplicateWindow(100.0)
    for key in "abc":
        window.add(key, answered())
        window.take(key, 1.0)
    assert window.expire(1.0) == ["a"]
    assert window.expire(1.0) == []


def test_taken_before_a_restart() -> None:
    window = DuplicateWindow(100.0)
    old = answered("f")
    old.taken_at = -90.0
    window.add("a", old)
    assert window.unconfirmed == 0
    assert window.seen("f", 10.0)
    assert window.expire(10.5) == ["a"]
    assert not window.seen("f", 10.5)


def test_deliveries() -> None:
    window = DuplicateWindow(100.0)
    window.see(None, 0.0)
    window.see("f", 0.0)
    window.see("g", 50.0)
    assert window.seen("f", 100.0)
    assert not window.seen("f", 100.1)
    assert not window.seen("h", 0.0)
    window.expire(101.0)
    assert list(window._seen) == ["g"]


def test_delivery_is_known_until_its_reply_is_taken() -> None:
    window = DuplicateWindow(100.0)
    window.add("a", answered("f"))
    assert window.seen("f", 1e6)
    window.take("a", 1e6)
    assert window.seen("f", 1e6 + 100)


def test_deliveries_are_bounded() -> None:
    window = DuplicateWindow(100.0)
    for count in range(MAX_FINGERPRINTS + 1):
        window.see(f"f{count}", 0.0)
    assert len(window._seen) == MAX_FINGERPRINTS
    assert not window.seen("f0", 0.0)
