from __future__ import annotations

import asyncio
import platform
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.child import Child, child_environment, cores_alike

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


def _capacities(*found: int) -> dict[str, str]:
    return {
        f"devices/system/cpu/cpu{core}/cpu_capacity": f"{capacity}\n"
        for core, capacity in enumerate(found)
    }


def test_the_environment_holds_no_secret(tmp_path: Path) -> None:
    given = {"MQTT_PASSWORD": "x", "HOME": "/root", "OMP_NUM_THREADS": "2", "PYTHONPATH": "/p"}
    given["PYTHONSAFEPATH"] = "1"
    assert child_environment(given, "x86_64", tmp_path) == {
        "OMP_NUM_THREADS": "2",
        "OMP_PROC_BIND": "true",
        "GOMP_SPINCOUNT": "20000",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "PYTHONPATH": "/p",
        "PYTHONSAFEPATH": "1",
        "LANG": "C.UTF-8",
    }
    for name in ("GOMP_SPINCOUNT", "GLIBC_TUNABLES", "OMP_PROC_BIND"):
        given[name] = "7"
        assert child_environment(given)[name] == "7", "the owner has the last word"


def test_threads_look_more_often_where_a_look_is_short() -> None:
    looks = {
        machine: int(child_environment({}, machine)["GOMP_SPINCOUNT"])
        for machine in ("x86_64", "aarch64")
    }
    assert looks == {"x86_64": 20_000, "aarch64": 30_000}
    assert child_environment({}) == child_environment({}, platform.machine())


@pytest.mark.parametrize(
    ("files", "alike"),
    [
        ({}, True),
        ({"devices/system/cpu/cpu0/cpu_capacity": "1024\n"}, True),
        (_capacities(1024, 1024, 1024, 1024), True),
        (_capacities(414, 414, 1024, 1024), False),
        ({"devices/cpu_core/cpus": "0-7\n", "devices/cpu_atom/cpus": "8-15\n"}, False),
    ],
    ids=["unknown", "one", "Pi 5", "big.LITTLE", "hybrid"],
)
def test_threads_are_bound_where_no_core_is_slower(
    tmp_path: Path, files: Mapping[str, str], *, alike: bool
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores_alike(tmp_path) is alike
    assert ("OMP_PROC_BIND" in child_environment({}, "aarch64", tmp_path)) is alike


def test_cores_that_cannot_be_read_are_not_bound_to(tmp_path: Path) -> None:
    (tmp_path / "devices/system/cpu/cpu0/cpu_capacity").mkdir(parents=True)
    assert not cores_alike(tmp_path)


class NoProcess:
    def kill(self) -> None:
        raise ProcessLookupError


@contextmanager
def child() -> Iterator[tuple[Child, socket.socket]]:
    """A child of which there is only its socket, and the other end of that."""
    process: Any = NoProcess()
    ours, theirs = socket.socketpair()
    side, other = socket.socketpair()
    ours.settimeout(0.0)
    made = Child(process, ours, side)
    with theirs, other:
        yield made, theirs
    made.close()


def heard(say: Callable[[socket.socket], None], *, most: int) -> bytes:
    """What is heard of what is said, until so many bytes are enough."""
    got = bytearray()

    def take(data: bytes) -> bool:
        got.extend(data)
        return len(got) < most

    async def listen() -> None:
        with child() as (made, theirs):
            say(theirs)
            await asyncio.wait_for(made.listen(take), 10)

    asyncio.run(listen())
    return bytes(got)


def test_all_is_heard_that_was_said_before_the_end() -> None:
    def say(theirs: socket.socket) -> None:
        theirs.settimeout(10.0)
        theirs.sendall(bytes(range(256)) * 400)
        theirs.close()

    assert heard(say, most=1 << 30) == bytes(range(256)) * 400


def test_nothing_is_heard_beyond_what_is_wanted() -> None:
    assert heard(lambda theirs: theirs.sendall(b"x" * (100 << 10)), most=1) == b"x" * (64 << 10)


def test_a_connection_that_is_reset_is_an_end() -> None:
    def say(theirs: socket.socket) -> None:
        theirs.sendall(b"last words")
        theirs.close()

    async def listen() -> None:
        with child() as (made, theirs):
            made.send(b"unread, so that the close resets the connection")
            say(theirs)
            await asyncio.wait_for(made.listen(lambda data: data == b"last words"), 10)

    asyncio.run(listen())


def test_a_mistake_in_hearing_is_raised_where_it_is_awaited() -> None:
    def take(data: bytes) -> bool:
        raise LookupError(data)

    async def listen() -> None:
        with child() as (made, theirs):
            theirs.sendall(b"word")
            with pytest.raises(LookupError, match="word"):
                await asyncio.wait_for(made.listen(take), 10)

    asyncio.run(listen())
