from __future__ import annotations

import pytest

from edged.engine.frames import is_errand, is_measure
from edged.serving.request import Message, Request


def request_key(client: str) -> str:
    turn = Message(role="user", content="hi")
    return Request(id="id", client=client, messages=(turn,), max_tokens=1).key


@pytest.mark.parametrize(
    ("key", "errand", "measure"),
    [
        ("prefix/butler", True, False),
        ("measure/pp", False, True),
        ("butler", False, False),
        (request_key(""), False, False),
        # A client without a name is known by its reply topic.
        (request_key("prefix/butler"), False, False),
        (request_key("measure/pp"), False, False),
    ],
)
def test_keys_of_errands_and_requests_are_never_confused(
    key: str, errand: bool, measure: bool
) -> None:
    assert (is_errand(key), is_measure(key)) == (errand, measure)
