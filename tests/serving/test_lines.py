from __future__ import annotations

from edged.serving.lines import Lines
from tests.serving.make import request


def test_who_has_no_session_waits_for_nobody() -> None:
    lines = Lines()
    for name in "ab":
        lines.join(request(name))
        assert lines.first(request(name))
        lines.leave(request(name))
    assert not lines._lines


def test_each_session_has_a_line_of_its_own() -> None:
    lines = Lines()
    a, b, other = request("a", session="s"), request("b", session="s"), request("c", session="t")
    for asked in (a, b, other):
        lines.join(asked)
    assert [lines.first(asked) for asked in (a, b, other)] == [True, False, True]
    assert lines.behind == 1
    lines.leave(a)
    assert lines.first(b)
    assert lines.behind == 0


def test_the_same_name_of_another_owner_is_another_session() -> None:
    lines = Lines()
    first, second = request("a", "tablet", session="s"), request("a", "phone", session="s")
    lines.join(first)
    lines.join(second)
    assert lines.first(first)
    assert lines.first(second)


def test_who_comes_back_keeps_its_place() -> None:
    lines = Lines()
    a, b = request("a", session="s"), request("b", session="s")
    for asked in (a, b, a, b):
        lines.join(asked)
    assert lines.first(a)
    assert lines.behind == 1


def test_leaving_from_anywhere_leaves_nothing_behind() -> None:
    lines = Lines()
    asked = [request(name, session="s") for name in "abc"]
    for each in asked:
        lines.join(each)
    for each in (asked[1], asked[0], asked[0]):
        lines.leave(each)
    assert lines.first(asked[2])
    assert lines.behind == 0
    lines.leave(asked[2])
    lines.leave(asked[2])
    assert not lines._lines
