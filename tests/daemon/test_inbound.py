from __future__ import annotations

from typing import Any

import pytest

from edged.daemon import inbound
from edged.daemon.inbound import NO_ID
from edged.engine import frames
from edged.mqtt.packet import Incoming
from edged.serving import events
from edged.serving.message import Rules
from edged.serving.request import Ticket, Usage

RULES = Rules(64, 512, lambda topic: topic.startswith("ok/"))


def incoming(payload: bytes = b"hello", **fields: Any) -> Incoming:
    base: dict[str, Any] = {
        "topic": "edged/n/request",
        "payload": payload,
        "qos": 1,
        "retain": False,
        "dup": False,
        "mid": 7,
        "connection": 3,
    }
    return Incoming(**{**base, **fields})


def test_a_text_becomes_a_request_with_a_ticket_to_acknowledge_it() -> None:
    event = inbound.request_event(incoming(), None, RULES)
    assert isinstance(event, events.Arrived)
    assert event.request.messages[-1].content == "hello"
    assert event.ticket == Ticket(connection=3, mid=7, qos=1)


def test_two_texts_get_different_ids() -> None:
    first, second = (inbound.request_event(incoming(), None, RULES) for _ in range(2))
    assert isinstance(first, events.Arrived)
    assert isinstance(second, events.Arrived)
    assert first.request.id != second.request.id


def test_the_properties_are_carried_over() -> None:
    message = incoming(
        response_topic="ok/me", correlation=b"\x00\x01", expiry_s=9, user=(("client", "lamp"),)
    )
    event = inbound.request_event(message, None, RULES)
    assert isinstance(event, events.Arrived)
    request = event.request
    assert (request.reply_to, request.correlation) == ("ok/me", b"\x00\x01")
    assert (request.expires_in, request.client) == (9, "lamp")


def test_a_payload_that_is_no_request_is_refused_with_its_ticket() -> None:
    event = inbound.request_event(incoming(b"\xff"), None, RULES)
    assert isinstance(event, events.Refused)
    assert event.bad.code == "bad_encoding"
    assert event.ticket.mid == 7


def test_a_persona_that_is_not_configured_is_refused() -> None:
    event = inbound.request_event(incoming(), "butler", RULES)
    assert isinstance(event, events.Refused)
    assert event.bad.code == "unknown_persona"


def test_a_redelivery_has_the_fingerprint_of_the_first_delivery() -> None:
    first = inbound.fingerprint(incoming(expiry_s=9))
    assert first == inbound.fingerprint(incoming(dup=True, connection=4, expiry_s=3))


@pytest.mark.parametrize(
    "other", [{"mid": 8}, {"payload": b"bye"}, {"correlation": b"1"}, {"user": (("a", "b"),)}]
)
def test_another_message_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert inbound.fingerprint(incoming()) != inbound.fingerprint(incoming(**other))


def test_qos_0_is_never_redelivered_so_it_has_none() -> None:
    assert inbound.fingerprint(incoming(qos=0)) is None


@pytest.mark.parametrize(
    ("payload", "id_"), [(b" a1\n", "a1"), (b"\xff", NO_ID), (b"", NO_ID), (b"a prompt", NO_ID)]
)
def test_a_cancel_is_an_id_in_plain_text(payload: bytes, id_: str) -> None:
    assert inbound.cancel_event(incoming(payload)).id == id_


def test_a_huge_cancel_is_no_id() -> None:
    assert inbound.cancel_event(incoming(b"x" * 100_000)).id == NO_ID


def test_frames_become_events() -> None:
    done = frames.Done(
        key="k",
        finish_reason="stop",
        prompt_tokens=9,
        cached_tokens=1,
        completion_tokens=4,
        prompt_ms=1.0,
        predicted_ms=2.0,
        ttft_ms=1.5,
    )
    usage = Usage(prompt_tokens=9, cached_tokens=1, completion_tokens=4)
    pairs: list[tuple[frames.FromChild, events.Event | None]] = [
        (frames.Prefill(key="k", done=1, total=9), events.Prefilled(key="k", done=1, total=9)),
        (frames.Delta(key="k", text="a", tokens=1), events.Decoded(key="k", text="a", tokens=1)),
        (
            frames.Failed(key="k", code="c", message="m"),
            events.RunFailed(key="k", code="c", message="m"),
        ),
        (
            done,
            events.Completed(
                key="k",
                finish_reason="stop",
                usage=usage,
                prompt_ms=1.0,
                predicted_ms=2.0,
                ttft_ms=1.5,
            ),
        ),
        (frames.Beat(), None),
    ]
    for frame, event in pairs:
        assert inbound.frame_event(frame) == event


def test_what_the_fleet_was_asked_is_answered_in_its_place_unless_a_topic_is_named() -> None:
    def place(request_id: str) -> str:
        return f"all/{request_id}"

    plain = inbound.request_event(incoming(b'{"id": "a", "prompt": "x"}'), None, RULES, place)
    assert isinstance(plain, events.Arrived)
    assert plain.request.reply_to == "all/a"
    named = incoming(b'{"id": "a", "prompt": "x", "reply_to": "ok/b"}')
    event = inbound.request_event(named, None, RULES, place)
    assert isinstance(event, events.Arrived)
    assert event.request.reply_to == "ok/b"
    bad = inbound.request_event(incoming(b'{"id": "a", "prompt": 1}'), None, RULES, place)
    assert isinstance(bad, events.Refused)
    assert bad.bad.reply_to == "all/a"
