"""The fleet's bench at small size: what it counts is what happened."""

from __future__ import annotations

import pytest

from bench import fleet
from bench.report import judged

pytestmark = pytest.mark.process


def test_two_nodes_answer_more_than_one_could() -> None:
    # at a second an answer one node gives 60 a minute at most
    assert fleet.rate(2, 2) > 60


def test_a_killed_node_costs_nothing() -> None:
    assert fleet.killed(2) == (0, 8)


def test_a_hot_node_is_given_nothing_new_soon() -> None:
    last_s, lost = fleet.heated()
    assert judged("last", last_s, "<= 2").ok, last_s
    assert lost == 0


def test_a_lost_and_a_doubled_reply_are_counted() -> None:
    with fleet.party(1, fleet.QUICK) as found:
        (name,) = found.ask(1, "x")
        found.answered([name])
        assert found.wrong() == []
        reply = found.client.on(f"edged/any/reply/{name}")[0].payload
        found.client.publish(f"edged/any/reply/{name}", reply)
        found.asked["never"] = 0.0
        assert sorted(found.wrong()) == ["never: no reply", f"{name}: 2 replies"]
