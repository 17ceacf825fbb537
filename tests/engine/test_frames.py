from __future__ import annotations

import pytest

from edged.engine.frames import is_errand
from edged.serving.request import Message, Request


def request_key(client: str) -> str:
    turn = Message(role="user", content="hi")
    return Request(id="id", client=client, messages=(turn,), max_tokens=1).key


@pytest.mark.parametrize(
    ("key", "errand"),
    [
        ("prefix/butler", True),
        ("butler", False),
        (request_key(""), False),
        # A client without a name is known by its reply topic.
        (request_key("prefix/butler"), False),
    ],
)
def test_keys_of_errands_and_requests_are_never_confused(key: str, errand: bool) -> None:
    assert is_errand(key) is errand
