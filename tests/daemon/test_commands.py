from __future__ import annotations

import msgspec

from edged.daemon import commands


def test_a_known_verb_is_done() -> None:
    done: list[str] = []
    result = commands.run("pause", {"pause": lambda: done.append("pause")})
    assert done == ["pause"]
    assert msgspec.json.encode(result) == b'{"verb":"pause","status":"ok"}'


def test_an_unknown_verb_names_the_known_ones() -> None:
    result = commands.run("fly", {"resume": lambda: None, "pause": lambda: None})
    assert result.status == "error"
    assert result.error == "unknown command; known are pause, resume"
