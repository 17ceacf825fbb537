"""Order, fairness, deadlines; checked against a model that is slow and plain."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edged.serving.backlog import SLACK, Backlog
from edged.serving.request import Priority, Request
from tests.serving.make import request


def drained(backlog: Backlog, now: float = 0.0) -> list[str]:
    order = []
    while entry := backlog.pop(now):
        order.append(entry.request.id)
    return order


def test_priorities_then_arrival() -> None:
    backlog = Backlog()
    for name, priority in (("b", 2), ("n1", 1), ("u", 0), ("n2", 1)):
        backlog.push(request(name, priority=Priority(priority)), 0.0)
    assert drained(backlog) == ["u", "n1", "n2", "b"]


def test_clients_take_turns() -> None:
    backlog = Backlog()
    for name in ("a1", "a2", "a3", "b1", "c1", "c2"):
        backlog.push(request(name, name[0]), 0.0)
    assert drained(backlog) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_one_of_a_hundred_waits_for_one_round() -> None:
    backlog = Backlog()
    for count in range(48):
        backlog.push(request(f"l{count}", "loud"), 0.0)
    backlog.push(request("q", "quiet"), 0.0)
    assert backlog.position(request("q", "quiet").key) == 2


def test_cancelling_does_not_cost_the_turn() -> None:
    backlog = Backlog()
    for name in ("a1", "a2", "b1"):
        backlog.push(request(name, name[0]), 0.0)
    backlog.remove(request("a1", "a").key)
    assert drained(backlog) == ["a2", "b1"]


def test_any_place_can_be_left() -> None:
    for left, rest in (("a1", ["a2", "a3"]), ("a2", ["a1", "a3"]), ("a3", ["a1", "a2"])):
        backlog = Backlog()
        for name in ("a1", "a2", "a3"):
            backlog.push(request(name, "a"), 0.0)
        backlog.remove(request(left, "a").key)
        assert drained(backlog) == rest


def test_a_newcomer_stands_behind_all_who_have_a_turn() -> None:
    backlog = Backlog()
    for count in range(100):
        backlog.push(request(f"r{count}", f"c{count}"), 0.0)
        assert backlog.position(request(f"r{count}", f"c{count}").key) == count + 1


def test_front_goes_first() -> None:
    backlog = Backlog()
    backlog.push(request("u", priority=Priority.URGENT), 0.0)
    backlog.push(request("f1"), 0.0, front=True)
    backlog.push(request("f2"), 0.0, front=True)
    assert [backlog.position(request(name).key) for name in ("f1", "f2", "u", "x")] == [
        1,
        2,
        3,
        None,
    ]
    assert drained(backlog) == ["f1", "f2", "u"]


def test_the_urgent_alone_pass_a_head_that_does_not_fit() -> None:
    backlog = Backlog()
    for name, priority in (("n", 1), ("u1", 0), ("u2", 0)):
        backlog.push(request(name, priority=Priority(priority)), 0.0)
    backlog.push(request("f"), 0.0, front=True)
    backlog.push(request("fu", priority=Priority.URGENT), 0.0, front=True)

    def urgent(asked: Request) -> bool:
        return asked.priority is Priority.URGENT

    order = [entry.request.id for entry in iter(lambda: backlog.pop(0.0, urgent), None)]
    assert order == ["fu", "u1", "u2"]
    assert backlog.pop(0.0, lambda asked: asked.id == "n") is None, "it waits behind the head"
    assert drained(backlog) == ["f", "n"]


def test_who_is_not_eligible_is_overtaken_by_all() -> None:
    backlog = Backlog()
    for name, priority in (("n1", 1), ("u", 0), ("n2", 1)):
        backlog.push(request(name, priority=Priority(priority)), 0.0)
    backlog.push(request("f"), 0.0, front=True)

    def able(asked: Request) -> bool:
        return asked.id not in {"f", "n1", "u"}

    entry = backlog.pop(0.0, eligible=able)
    assert entry is not None
    assert entry.request.id == "n2"
    assert backlog.pop(0.0, eligible=able) is None
    assert drained(backlog) == ["f", "u", "n1"]


def test_the_urgent_have_deadlines_too() -> None:
    backlog = Backlog()
    backlog.push(request("n"), 0.0, front=True)
    backlog.push(request("u", priority=Priority.URGENT), 0.0, 5.0)
    assert backlog.pop(5.1, lambda asked: asked.id == "u") is None


def test_deadline_is_the_last_moment_to_start() -> None:
    backlog = Backlog()
    backlog.push(request("a"), 0.0, 5.0)
    assert backlog.expire(5.0) == []
    assert backlog.pop(5.1) is None
    assert [entry.request.id for entry in backlog.expire(5.1)] == ["a"]
    assert len(backlog) == 0


def test_the_next_deadline_is_that_of_one_who_waits() -> None:
    backlog = Backlog()
    assert backlog.next_deadline() is None
    for name, deadline in (("a", 5.0), ("b", 4.0), ("c", None)):
        backlog.push(request(name), 0.0, deadline)
    assert backlog.next_deadline() == 4.0
    backlog.remove(request("b").key)
    assert backlog.next_deadline() == 5.0
    backlog.remove(request("a").key)
    assert backlog.next_deadline() is None


def test_the_started_leave_nothing_behind() -> None:
    backlog = Backlog()
    for count in range(1000):
        backlog.push(request(f"r{count}"), 0.0, 1e9)
        backlog.pop(0.0)
    assert len(backlog._deadlines) <= SLACK + 2
    assert not backlog._of_client
    assert not backlog._lanes[Priority.NORMAL]


def test_oldest() -> None:
    backlog = Backlog()
    assert backlog.oldest_since() is None
    backlog.push(request("a"), 3.0)
    backlog.push(request("b", priority=Priority.URGENT), 4.0)
    assert backlog.oldest_since() == 3.0
    assert [entry.request.id for entry in backlog.entries()] == ["a", "b"]


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog()
        self.now = 0.0
        self.waiting: dict[str, float | None] = {}
        self.count = 0

    @rule(
        client=st.sampled_from("abc"),
        priority=st.sampled_from(Priority),
        patience=st.none() | st.sampled_from([0.0, 1.0, 100.0]),
        front=st.integers(0, 9),
    )
    def push(self, client: str, priority: Priority, patience: float | None, front: int) -> None:
        self.count += 1
        asked = request(f"r{self.count}", client, priority=priority)
        deadline = None if patience is None else self.now + patience
        self.backlog.push(asked, self.now, deadline, front=not front)
        self.waiting[asked.key] = deadline

    @rule()
    def pop(self) -> None:
        order = [entry.request.key for entry in self.backlog.order(99)]
        entry = self.backlog.pop(self.now)
        possible = [key for key in order if not self.is_late(key)]
        assert (entry.request.key if entry else None) == (possible[0] if possible else None)
        if entry:
            del self.waiting[entry.request.key]

    @precondition(lambda self: self.waiting)
    @rule(pick=st.integers(0, 99))
    def remove(self, pick: int) -> None:
        key = list(self.waiting)[pick % len(self.waiting)]
        entry = self.backlog.remove(key)
        assert entry is not None
        assert entry.request.key == key
        assert self.backlog.remove(key) is None
        del self.waiting[key]

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0]))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        late = {entry.request.key for entry in self.backlog.expire(self.now)}
        assert late == {key for key in self.waiting if self.is_late(key)}
        for key in late:
            del self.waiting[key]

    @rule(client=st.sampled_from("abcd"), priority=st.sampled_from(Priority))
    def place_of_a_newcomer(self, client: str, priority: Priority) -> None:
        newcomer = request("newcomer", client, priority=priority)
        place = self.backlog.next_place(newcomer)
        self.backlog.push(newcomer, self.now)
        assert self.backlog.position(newcomer.key) == place
        self.backlog.remove(newcomer.key)

    def is_late(self, key: str) -> bool:
        deadline = self.waiting[key]
        return deadline is not None and deadline < self.now

    @invariant()
    def agrees(self) -> None:
        order = self.backlog.order(99)
        keys = [entry.request.key for entry in order]
        assert sorted(keys) == sorted(self.waiting)
        assert len(self.backlog) == len(keys)
        assert [self.backlog.position(key) for key in keys] == list(range(1, len(keys) + 1))
        assert self.backlog.order(2) == order[:2]
        assert all(key in self.backlog for key in keys)
        for client in "abc":
            mine = [entry for entry in order if entry.request.client == client]
            assert self.backlog.of_client(client) == len(mine)
        ranks = [-1 if entry.front else entry.request.priority for entry in order]
        assert ranks == sorted(ranks)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
