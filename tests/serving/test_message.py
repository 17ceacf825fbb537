"""Any bytes become one Request or one BadRequest, cheaply, and never anything else."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.serving.message import (
    MAX_CORRELATION_BYTES,
    MAX_PAYLOAD_BYTES,
    Rules,
    encode,
    is_id,
    parse,
)
from edged.serving.request import (
    BadRequest,
    Envelope,
    Message,
    Priority,
    Reply,
    ReplyError,
    Request,
    Sampling,
    SessionId,
    Timings,
    Usage,
)
from tests.serving.make import ticket

BUTLER = (
    Message(role="system", content="be a butler"),
    Message(role="user", content="Hello?"),
    Message(role="assistant", content="Sir."),
)
RULES = Rules(256, 4096, lambda topic: topic.startswith("mine/"), {"butler": BUTLER})


def envelope(**given: Any) -> Envelope:
    return Envelope(ticket=ticket(), **given)


def read(payload: bytes | dict[str, Any], **given: Any) -> Request | BadRequest:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse(raw, envelope(**given), "fresh", RULES)


def good(payload: bytes | dict[str, Any], **given: Any) -> Request:
    asked = read(payload, **given)
    assert isinstance(asked, Request), asked
    return asked


def bad(payload: bytes | dict[str, Any], **given: Any) -> BadRequest:
    asked = read(payload, **given)
    assert isinstance(asked, BadRequest), asked
    assert asked.message.isprintable()
    assert len(asked.message) < 1000
    return asked


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


class TestText:
    def test_is_the_prompt_as_it_is(self) -> None:
        asked = good("  wie spät\x00\x1b[2J?\n".encode())
        assert asked.messages == (Message(role="user", content="  wie spät\x00\x1b[2J?\n"),)
        assert (asked.id, asked.client, asked.key) == ("fresh", "", "\x1ffresh")
        assert (asked.max_tokens, asked.sampling, asked.priority) == (
            256,
            Sampling(),
            Priority.NORMAL,
        )
        assert asked.stream
        assert (asked.expires_in, asked.reply_to, asked.correlation) == (None, None, None)

    @pytest.mark.parametrize("payload", [b"[1]", b'"x"', b"\xef\xbb\xbf{}", b"null"])
    def test_is_whatever_does_not_begin_with_a_brace(self, payload: bytes) -> None:
        assert good(payload).messages[0].content == payload.decode()

    @pytest.mark.parametrize("payload", [b"", b" \n\t", b"{}", b' {"prompt": ""}'])
    def test_must_not_be_empty(self, payload: bytes) -> None:
        assert bad(payload).code == "empty"

    @pytest.mark.parametrize(
        ("payload", "at"), [(b"ab\xff", 2), (b"\xed\xa0\x80", 0), (b'{"prompt": "\xc3"}', 12)]
    )
    def test_must_be_utf8(self, payload: bytes, at: int) -> None:
        wrong = bad(payload)
        assert wrong.code == "bad_encoding"
        assert wrong.message.endswith(f"byte {at}")

    def test_may_fill_the_limit_and_not_a_byte_more(self) -> None:
        assert good(b"a" * MAX_PAYLOAD_BYTES).id == "fresh"
        wrong = bad(b"a" * (MAX_PAYLOAD_BYTES + 1))
        assert wrong.code == "too_large"
        assert wrong.message == "131073 bytes, the limit is 131072"


class TestJson:
    def test_every_key(self) -> None:
        asked = good(
            {
                "id": "q-1.A_z",
                "prompt": "hi",
                "system": "be short",
                "max_tokens": 4096,
                "temperature": 5,
                "top_p": 1,
                "top_k": 0,
                "min_p": 0,
                "repeat_penalty": 0.5,
                "seed": 2**32 - 1,
                "stop": ["\n", "x" * 64],
                "priority": "urgent",
                "expires_in": 604800,
                "stream": False,
                "reply_to": "mine/a",
            }
        )
        assert asked == Request(
            id="q-1.A_z",
            client="mine/a",
            messages=(
                Message(role="system", content="be short"),
                Message(role="user", content="hi"),
            ),
            max_tokens=4096,
            sampling=Sampling(
                temperature=5, top_p=1, top_k=0, min_p=0, repeat_penalty=0.5, seed=2**32 - 1
            ),
            stop=("\n", "x" * 64),
            priority=Priority.URGENT,
            expires_in=604800,
            stream=False,
            reply_to="mine/a",
        )

    def test_messages(self) -> None:
        turns = [
            {"role": "system", "content": "s"},
            user("a"),
            {"role": "assistant", "content": "b"},
            user("c"),
        ]
        asked = good({"messages": turns})
        assert [turn.role for turn in asked.messages] == ["system", "user", "assistant", "user"]
        assert len(good({"messages": [user("x")] * 64}).messages) == 64

    @pytest.mark.parametrize(
        ("key", "value", "told"),
        [
            ("max_tokens", 0, "max_tokens: Expected int >= 1"),
            ("max_tokens", 4097, "max_tokens: 4097, the limit is 4096"),
            ("max_tokens", 1.5, "max_tokens: Expected int, got float"),
            ("max_tokens", True, "max_tokens: Expected int, got bool"),
            ("max_tokens", "5", "max_tokens: Expected int, got str"),
            ("temperature", -0.1, "temperature: Expected float >= 0.0"),
            ("temperature", 5.1, "temperature: Expected float <= 5.0"),
            ("top_p", 0, "top_p: Expected float > 0.0"),
            ("top_p", 1.01, "top_p: Expected float <= 1.0"),
            ("top_k", -1, "top_k: Expected int >= 0"),
            ("top_k", 1001, "top_k: Expected int <= 1000"),
            ("min_p", -1, "min_p: Expected float >= 0.0"),
            ("min_p", 2, "min_p: Expected float <= 1.0"),
            ("repeat_penalty", 0.49, "repeat_penalty: Expected float >= 0.5"),
            ("repeat_penalty", 2.1, "repeat_penalty: Expected float <= 2.0"),
            ("seed", -1, "seed: Expected int >= 0"),
            ("seed", 2**32, "seed: Expected int <= 4294967295"),
            ("stop", "x", "stop: Expected array, got str"),
            ("stop", [1], "stop[0]: Expected str, got int"),
            ("stop", ["x"] * 9, "stop: Expected array of length <= 8"),
            ("stop", [""], "stop[0]: Expected str of length >= 1"),
            ("stop", ["x" * 65], "stop[0]: Expected str of length <= 64"),
            ("priority", "high", "priority: Invalid enum value 'high'"),
            ("expires_in", -1, "expires_in: Expected float >= 0.0"),
            ("expires_in", 604801, "expires_in: Expected float <= 604800.0"),
            ("stream", "yes", "stream: Expected bool, got str"),
            ("id", 7, "id: Expected str, got int"),
            ("reply_to", 7, "reply_to: Expected str, got int"),
            ("system", "x" * 32769, "system: Expected str of length <= 32768"),
            ("messages", [user("x")], "prompt and messages are both given"),
        ],
    )
    def test_out_of_range_is_told(self, key: str, value: object, told: str) -> None:
        wrong = bad({"prompt": "hi", key: value})
        assert wrong.code == "bad_field"
        assert wrong.message.replace(" | null", "") == told

    @pytest.mark.parametrize(
        ("messages", "told"),
        [
            ([], "messages: the last one must be of role user"),
            (
                [user("x"), {"role": "assistant", "content": "x"}],
                "messages: the last one must be of role user",
            ),
            (
                [user("x"), {"role": "system", "content": "x"}, user("y")],
                "messages[1].role: system can only be the first",
            ),
            (
                [{"role": "root", "content": ""}],
                "messages[0].role: Invalid enum value 'root'",
            ),
            ([user("x") | {"name": "bob"}], "messages[0]: Object contains unknown field name"),
            ([{"role": "user"}], "messages[0]: Object missing required field content"),
            ([user("x")] * 65, "messages: Expected array of length <= 64"),
        ],
    )
    def test_bad_messages_are_told(self, messages: list[object], told: str) -> None:
        wrong = bad({"messages": messages})
        assert wrong.code == "bad_field"
        assert wrong.message.replace(" | null", "") == told

    def test_last_message_must_not_be_empty(self) -> None:
        assert bad({"messages": [user(" ")]}).code == "empty"

    def test_system_is_given_once(self) -> None:
        turns = [{"role": "system", "content": "a"}, user("x")]
        assert bad({"system": "b", "messages": turns}).message.startswith("system: ")

    def test_a_schema_comes_in_its_plain_form_and_without_a_penalty(self) -> None:
        asked = good({"prompt": "hi", "schema": {"type": "null", "title": "Nothing"}})
        assert asked.schema == '{"type":"null"}'
        assert asked.sampling.repeat_penalty == 1.0
        body = {"prompt": "hi", "schema": {"type": "null"}, "repeat_penalty": 1.3}
        assert good(body).sampling.repeat_penalty == 1.3

    def test_a_schema_that_is_none(self) -> None:
        wrong = bad({"id": "mine", "prompt": "hi", "schema": {"type": "text"}})
        assert (wrong.id, wrong.code) == ("mine", "bad_schema")
        assert wrong.message == 'schema: there is no type "text" (/type)'

    def test_nothing_cuts_an_answer_that_obeys(self) -> None:
        wrong = bad({"prompt": "hi", "schema": {"type": "null"}, "stop": ["x"]})
        assert (wrong.code, wrong.message[:5]) == ("bad_field", "stop:")

    @pytest.mark.parametrize("seconds", [0.001, 5, 604800])
    def test_answer_within(self, seconds: float) -> None:
        assert good({"prompt": "hi", "answer_within": seconds}).answer_within == seconds
        both = good({"prompt": "hi", "answer_within": seconds, "choices": ["a", "b"]})
        assert both.answer_within == seconds
        assert good({"prompt": "hi"}).answer_within is None

    @pytest.mark.parametrize("seconds", [0, -1, 604801, 1e300, "5", True, [5], {}])
    def test_what_is_no_time_to_answer_within(self, seconds: object) -> None:
        wrong = bad({"prompt": "hi", "answer_within": seconds})
        assert (wrong.code, wrong.message[:15]) == ("bad_field", "answer_within: ")

    def test_choices(self) -> None:
        asked = good({"prompt": "hi", "choices": ["on", "on at night"], "none_of": 0.5})
        assert (asked.choices, asked.none_of) == (("on", "on at night"), 0.5)
        assert good({"prompt": "hi"}).choices == ()

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"choices": ["on"]}, "choices: Expected `array` of length >= 2"),
            ({"choices": ["x"] * 65}, "choices: Expected `array` of length <= 64"),
            ({"choices": ["on", "x" * 201]}, "choices[1]: Expected `str` of length <= 200"),
            ({"choices": ["on", "\t"]}, "choices[1]: it is blank"),
            ({"choices": ["a", "b", "a"]}, 'choices[2]: "a" is given twice'),
            ({"choices": ["a", "b"], "stop": ["c"]}, "choices: nothing is written"),
            ({"choices": ["a", "b"], "schema": {"type": "null"}}, "choices: nothing is written"),
            ({"none_of": 0.5}, "none_of: there are no choices"),
            ({"choices": ["a", "b"], "none_of": 1.5}, "none_of: Expected `float` <= 1.0"),
        ],
    )
    def test_what_are_no_choices(self, fields: dict[str, Any], told: str) -> None:
        wrong = bad({"prompt": "hi", **fields})
        assert wrong.code == "bad_field"
        assert wrong.message.replace(" | null", "").startswith(told.replace("`", ""))

    def test_a_session_belongs_to_a_client_who_says_its_name(self) -> None:
        payload = {"prompt": "hi", "session": "evening-1"}
        shared = SessionId(id="evening-1")
        assert good(payload).session == shared
        assert good(payload, response_topic="mine/a").session == shared
        assert good({**payload, "reply_to": "mine/b"}).session == shared
        owned = SessionId(id="evening-1", owner="tablet")
        assert good(payload, response_topic="mine/a", client="tablet").session == owned
        assert good(payload, client="no name").session == shared
        assert good(b"hi").session is None

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "a" * 65,
            "a" * 100_000,
            "../up",
            "a/b",
            "a b",
            "a\n",
            "a\0",
            "\x1b[2J",
            "\u202ea",
            "é",
        ],
    )
    def test_a_session_that_is_no_id_is_told_and_quoted_harmlessly(self, value: str) -> None:
        wrong = bad({"prompt": "hi", "session": value})
        assert wrong.code == "bad_field"
        assert wrong.message.startswith('session: "')
        assert wrong.message.endswith('" is not 1 to 64 of A-Z a-z 0-9 . _ -')
        assert wrong.message.isprintable()
        assert len(wrong.message) < 300

    def test_a_session_of_another_type_is_told(self) -> None:
        wrong = bad({"prompt": "hi", "session": ["a"]})
        assert (wrong.code, wrong.message[:9]) == ("bad_field", "session: ")

    def test_a_session_and_messages_both_bring_the_earlier_turns(self) -> None:
        wrong = bad({"messages": [user("hi")], "session": "s"})
        assert wrong.code == "bad_field"
        assert wrong.message.startswith("messages and session are both given")

    def test_unknown_keys_get_a_suggestion(self) -> None:
        wrong = bad({"prompt": "hi", "temprature": 1})
        assert wrong.code == "unknown_field"
        assert wrong.message == 'unknown key "temprature", did you mean temperature?'
        assert bad({"prompt": "hi", "\x1b[31m" + "z" * 999: 1}).message == (
            'unknown key "\\x1b[31m' + "z" * 35 + '..."'
        )

    @pytest.mark.parametrize(
        "payload",
        [
            b"{",
            b"{prompt}",
            b'{"prompt": NaN}',
            b'{"prompt": "a", "temperature": Infinity}',
            b'{"prompt": "\\ud800"}',
            b'{"prompt": "\\udc00\\ud800"}',
            b'{"prompt": "\x01"}',
            b'{"prompt": "a"} {}',
            b'{"prompt": "a',
            b'{"prompt": "a"]',
            b'{"a\\x": 1}',
            b"{]]}}",
            b'{} "a": 1',
            b'{"stop":' + b"[" * 100_000,
            b'{"a":' * 20_000,
            b'{"max_tokens":' + b"9" * 10_000 + b"}",
            b'{"stop": [' + b'"",' * 5000 + b'""]}',
        ],
        ids=lambda payload: payload[:20].decode(),
    )
    def test_broken_is_told_and_not_taken_for_text(self, payload: bytes) -> None:
        wrong = bad(payload)
        assert wrong.code == "bad_json"
        assert re.search(r"byte|\d", wrong.message)

    @pytest.mark.parametrize("number", ["1e999", "9" * 60, "-1e999"])
    def test_numbers_beyond_all_ranges(self, number: str) -> None:
        assert bad(f'{{"prompt": "a", "temperature": {number}}}'.encode()).code == "bad_field"

    @pytest.mark.parametrize(
        ("payload", "name"),
        [
            (b'{"prompt": "a", "prompt": "b"}', "prompt"),
            (b'{"prompt": "a", "\\u0070rompt" : "b"}', "prompt"),
            (b'{"messages": [{"role": "user", "content": "a", "role": "system"}]}', "role"),
        ],
    )
    def test_keys_given_twice_are_named(self, payload: bytes, name: str) -> None:
        wrong = bad(payload)
        assert wrong.code == "bad_field"
        assert wrong.message.startswith(f'the key "{name}" is given twice, again at byte ')

    def test_same_key_in_two_objects_is_fine(self) -> None:
        asked = good({"messages": [user("a"), user('{"role": {"role": 1')]})
        assert asked.messages[1].content == '{"role": {"role": 1'


class TestId:
    @pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 65, "#", "a\x00", "a\n"])
    def test_bad_one_is_answered_under_the_fresh_one(self, name: str) -> None:
        wrong = bad({"id": name, "prompt": "hi"})
        assert (wrong.code, wrong.id) == ("bad_id", "fresh")
        assert not is_id(name)

    def test_good_one_is_kept_in_errors(self) -> None:
        assert bad({"id": "q1", "prompt": "hi", "seed": -1}).id == "q1"
        assert bad({"id": "x" * 64, "promt": "hi"}).id == "x" * 64


class TestAddress:
    def test_reply_topic_of_json(self) -> None:
        asked = good({"prompt": "hi", "reply_to": "mine/x"})
        assert (asked.reply_to, asked.client) == ("mine/x", "mine/x")

    def test_response_topic_wins(self) -> None:
        asked = good({"prompt": "hi", "reply_to": "evil"}, response_topic="mine/y")
        assert asked.reply_to == "mine/y"

    @pytest.mark.parametrize("topic", ["homeassistant/sensor/x/config", "#", "", "\x00", "\n" * 99])
    def test_others_are_refused_on_the_default_topic(self, topic: str) -> None:
        for wrong in (
            bad({"id": "q", "prompt": "hi", "reply_to": topic}),
            bad(b"hi", response_topic=topic),
        ):
            assert wrong.code == "bad_reply_topic"
            assert wrong.reply_to is None
            assert wrong.client == ""

    def test_errors_go_where_the_reply_would_have_gone(self) -> None:
        wrong = bad(b"{", response_topic="mine/z", correlation=b"\x00\xff", client="lamp")
        assert (wrong.reply_to, wrong.correlation, wrong.client) == (
            "mine/z",
            b"\x00\xff",
            "lamp",
        )

    def test_client_property_names_the_client(self) -> None:
        assert good(b"hi", client="kitchen", response_topic="mine/a").client == "kitchen"
        assert good(b"hi", client="k" * 65, response_topic="mine/a").client == "mine/a"
        assert good(b"hi", client="a b").client == ""

    def test_correlation_is_bounded(self) -> None:
        assert good(b"hi", correlation=b"x" * MAX_CORRELATION_BYTES).correlation
        wrong = bad(b"hi", correlation=b"x" * (MAX_CORRELATION_BYTES + 1))
        assert (wrong.code, wrong.correlation) == ("bad_field", None)

    def test_a_persona_stands_before_the_prompt_wherever_it_is_named(self) -> None:
        expected = (*BUTLER, Message(role="user", content="hi"))
        assert good(b"hi", topic_persona="butler").messages == expected
        named = {"prompt": "hi", "persona": "butler"}
        assert good(named).messages == expected
        assert good(named, topic_persona="butler").messages == expected
        assert good({"messages": [user("hi")], "persona": "butler"}).messages == expected
        assert good(named).persona == good(b"hi", topic_persona="butler").persona == "butler"
        assert good(b"hi").persona is None

    @pytest.mark.parametrize(
        ("given", "topic", "code", "told"),
        [
            ({}, "cook\n", "unknown_persona", 'persona "cook\\n" is not configured; known: butler'),
            (
                {"persona": ""},
                None,
                "unknown_persona",
                'persona "" is not configured; known: butler',
            ),
            ({"persona": "cook"}, "butler", "bad_field", 'it is "cook", and "butler" in the topic'),
            ({"persona": 1}, None, "bad_field", "persona: Expected str"),
            ({"system": "s"}, "butler", "bad_field", "system: the persona brings one already"),
        ],
    )
    def test_a_persona_that_cannot_be_is_refused(
        self, given: dict[str, Any], topic: str | None, code: str, told: str
    ) -> None:
        wrong = bad({"prompt": "hi"} | given, topic_persona=topic)
        assert wrong.code == code
        assert told in wrong.message

    def test_a_persona_and_a_system_message_do_not_go_together(self) -> None:
        turns = [{"role": "system", "content": "a"}, user("x")]
        wrong = bad({"persona": "butler", "messages": turns})
        assert wrong.message.startswith("persona: messages begin with a system message")

    def test_where_there_are_no_personas_that_is_said(self) -> None:
        none = Rules(256, 4096, lambda _: False)
        wrong = parse(b"hi", envelope(topic_persona="a"), "fresh", none)
        assert isinstance(wrong, BadRequest)
        assert wrong.message.endswith("known: none")

    @pytest.mark.parametrize(
        ("given", "expiry_s", "expected"),
        [
            (None, None, None),
            (5, None, 5),
            (None, 7, 7),
            (5, 7, 5),
            (9, 7, 7),
            (None, 2**32 - 1, 604800),
            (None, 0, 0),
        ],
    )
    def test_smaller_expiry_wins(
        self, given: float | None, expiry_s: int | None, expected: float | None
    ) -> None:
        payload = {"prompt": "hi"} | ({} if given is None else {"expires_in": given})
        assert good(payload, expiry_s=expiry_s).expires_in == expected


HOSTILE = {
    "emoji": '{"prompt":"😀%s"}',
    "escapes": '{"prompt":"%s"}',
    "unterminated": '{"prompt":"%s',
    "numbers": '{"stop":[%s1]}',
    "keys": "{%s}",
    "blanks": "{%s}",
}
UNITS = {
    "emoji": "a",
    "escapes": "\\ud83d\\ude00",
    "unterminated": '\\"',
    "numbers": "1" * 64 + ",",
    "keys": '"\\u0061":1,',
    "blanks": " ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_is_bounded(name: str) -> None:
    """Less than 1 MiB over the payload, whatever is in it."""
    unit = UNITS[name]
    payload = (HOSTILE[name] % (unit * (131000 // len(unit)))).encode()
    tracemalloc.start()
    try:
        read(payload)
        assert tracemalloc.get_traced_memory()[1] < 2**20 + len(payload)
    finally:
        tracemalloc.stop()


KEYS = st.sampled_from(["id", "prompt", "messages", "stop", "seed", "x", "role", "reply_to"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
PIECES = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b'"id"', b'"prompt":', b"1", b"\xff"]
    ),
    max_size=40,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(
    payload=st.binary(max_size=60)
    | PIECES.map(b"{".__add__)
    | st.dictionaries(KEYS, TREES).map(lambda tree: json.dumps(tree).encode()),
    topic=st.none() | st.text(max_size=10),
    client=st.none() | st.text(max_size=10),
)
def test_anything_is_one_of_two(payload: bytes, topic: str | None, client: str | None) -> None:
    asked = read(payload, response_topic=topic, client=client)
    assert is_id(asked.id)
    if isinstance(asked, BadRequest):
        assert asked.message.isprintable()
        error = ReplyError(code=asked.code, message=asked.message)
        assert encode(Reply(id=asked.id, status="rejected", error=error))
    else:
        assert msgspec.json.decode(msgspec.json.encode(asked), type=Request) == asked
        assert asked.messages[-1].role == "user"


def test_reply_leaves_out_what_is_not_there() -> None:
    reply = Reply(
        id="q",
        status="ok",
        text="",
        finish_reason="stop",
        usage=Usage(prompt_tokens=3, cached_tokens=0, completion_tokens=0),
        timings=Timings(queue_ms=0.0),
        variant="v",
    )
    assert json.loads(encode(reply)) == {
        "id": "q",
        "status": "ok",
        "text": "",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "cached_tokens": 0, "completion_tokens": 0},
        "timings": {"queue_ms": 0.0},
        "variant": "v",
    }
