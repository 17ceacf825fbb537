from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edged.thermal.debounce import QUIET_S, Contact, edge


def presses(edges: list[tuple[float, bool]]) -> list[float]:
    """When presses were taken, of edges with the seconds since the one before."""
    contact, now, found = Contact(), 100.0, []
    for pause, closed in edges:
        now += pause
        contact = edge(contact, now, closed=closed)
        if contact.pressed:
            found.append(now)
    return found


def test_the_first_closing_is_a_press_at_once() -> None:
    assert presses([(0.0, True)]) == [100.0]


def test_bounces_of_closing_and_of_opening_are_none() -> None:
    closing = [(1.0, True), (0.002, False), (0.003, True), (0.001, False), (0.001, True)]
    opening = [(0.5, False), (0.002, True), (0.004, False)]
    assert len(presses(closing + opening)) == 1
    assert len(presses((closing + opening) * 3)) == 3


def test_a_loose_wire_that_hums_presses_once() -> None:
    assert len(presses([(0.01, at % 2 == 0) for at in range(500)])) == 1


@given(st.lists(st.tuples(st.floats(0, 0.2), st.booleans()), max_size=60))
def test_presses_are_apart_and_come_only_from_closing(edges: list[tuple[float, bool]]) -> None:
    found = presses(edges)
    assert len(found) <= sum(closed for _, closed in edges)
    assert all(late - early >= QUIET_S for early, late in pairwise(found))
