from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.packet import Outgoing


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0", "\ud800", "x" * 65_536])
def test_topics_that_cannot_be_published_on(topic: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - Unicode speaks for itself
        Outgoing(topic=topic, payload=b"")


@pytest.mark.parametrize(
    "field",
    [{"correlation": b"x" * 65_536}, {"content_type": "x" * 65_536}, {"content_type": "\ud800"},
     {"expiry_s": -1}, {"expiry_s": 2**32}],
)  # fmt: skip
def test_fields_that_do_not_fit_a_packet(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - Unicode speaks for itself
        Outgoing(topic="a", payload=b"", **field)


@pytest.mark.parametrize(("qos", "retain"), [(0, False), (1, True), (2, False)])
def test_a_reply_has_qos_1_and_is_not_retained(qos: int, *, retain: bool) -> None:
    with pytest.raises(ValueError, match="terminal reply"):
        Outgoing(topic="a", payload=b"", qos=qos, retain=retain, tag="t")


def test_only_a_terminal_reply_is_urgent() -> None:
    with pytest.raises(ValueError, match="urgent"):
        Outgoing(topic="a", payload=b"", qos=1, urgent=True)


@given(st.binary(max_size=500), st.binary(max_size=50), st.text("aä/", min_size=1, max_size=50))
def test_size_is_never_too_small(payload: bytes, correlation: bytes, topic: str) -> None:
    sized = Outgoing(topic=topic, payload=payload, correlation=correlation, content_type="t")
    properties = 3 + len(correlation) + 4 + 5
    wire = 5 + 2 + len(topic.encode()) + 2 + 4 + properties + len(payload)
    assert wire <= sized.size <= wire + 64
