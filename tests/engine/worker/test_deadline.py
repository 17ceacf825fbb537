"""Python code that does not end is ended, and afterwards nothing is as it was only inside."""

from __future__ import annotations

import contextlib
import resource
import signal

import pytest

from edged.engine.frames import Message
from edged.engine.worker.deadline import DeadlineError, bounded
from edged.engine.worker.template import Template

BOMB = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
GROWTH = (
    "{% set ns = namespace(s='x') %}"
    "{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"
)
MIB = 1 << 20


def state() -> tuple[object, ...]:
    return (
        resource.getrlimit(resource.RLIMIT_AS),
        signal.getsignal(signal.SIGALRM),
        signal.getitimer(signal.ITIMER_REAL)[0] > 0,
    )


def test_a_loop_bomb_ends() -> None:
    before = state()
    template = Template(BOMB, "", "")
    with pytest.raises(DeadlineError, match=r"over 0\.1 s"), bounded(0.1, 64 * MIB):
        template.render([Message(role="user", content="x")], "n")
    assert state() == before


def test_a_memory_bomb_ends() -> None:
    before = state()
    template = Template(GROWTH, "", "")
    with pytest.raises(MemoryError), bounded(10.0, 64 * MIB):
        template.render([Message(role="user", content="x")], "n")
    assert state() == before


def swallow_then_spin() -> None:
    with contextlib.suppress(DeadlineError):
        while True:
            pass
    while True:
        pass


def test_a_swallowed_deadline_comes_again() -> None:
    with pytest.raises(DeadlineError), bounded(0.05, 64 * MIB):
        swallow_then_spin()


def test_quick_code_is_left_alone() -> None:
    before = state()
    with bounded(1.0, 64 * MIB):
        assert sum(range(10)) == 45
    assert state() == before
