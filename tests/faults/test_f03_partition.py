"""F03: the network goes silent, deaf, slow or breaks: seen in time, and no reply comes twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kit import (
    NODE,
    QUICK,
    REPLIES,
    eventually,
    reply_of,
    served,
    streaming,
    told,
    verdict,
)
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.proxy import Proxy
from tests.rig.witness import KEEPALIVE_FACTOR, Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = [pytest.mark.process, pytest.mark.fault]

KEEPALIVE_S = 5  # the least that the configuration allows
LIMIT_S = KEEPALIVE_S * KEEPALIVE_FACTOR
CONFIG: Mapping[str, Any] = {
    "mqtt": {"keepalive_s": KEEPALIVE_S, "reconnect_max_s": 1, "connect_timeout_s": 2}
}
# 2 s of decode: the answer ends while the line is down.
SCRIPT: Mapping[str, Any] = {"ms_per_token": 20, "tokens": 100}
SECOND_REPLY_S = 0.5


def begin(kind: str, broker: Broker, proxy: Proxy) -> None:
    match kind:
        case "freeze":
            broker.freeze()
        case "both":
            proxy.blackhole()
        case "up":
            proxy.blackhole("up")
        case "down":
            proxy.blackhole("down")


def end(kind: str, broker: Broker, proxy: Proxy) -> None:
    if kind == "freeze":
        broker.thaw()
    else:
        proxy.heal()


def silence(kind: str) -> list[str]:
    """One partition while an answer is under way; what went wrong."""
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        DaemonProcess(proxy.port, script=SCRIPT, config=CONFIG, watch_port=broker.port) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"{REPLIES}+", f"edged/{NODE}/stream/+")
        client.send(NODE, "hello", id="a")
        client.send(NODE, "hello", id="b", stream=False)
        streaming(client, "a", 5)
        rss = daemon.rss()
        began = time.monotonic()
        begin(kind, broker, proxy)
        eventually(lambda: told(daemon, "broker lost"), f"{kind} is seen", LIMIT_S + 3)
        took = time.monotonic() - began
        wrong = [f"seen after {took:.1f} s only"] if took > LIMIT_S else []
        time.sleep(0.5)
        end(kind, broker, proxy)
        for request_id in ("a", "b"):
            assert reply_of(client, request_id)["status"] == "ok"
        daemon.wait_online()
        served(client)
        time.sleep(SECOND_REPLY_S)
        if daemon.rss() > rss + 2**25:
            wrong.append(f"grew from {rss} to {daemon.rss()}")
        return wrong + verdict(daemon, witness.history(), asked=["a", "b"], gaps=True)


def test_silence_is_seen_in_time_and_heals_without_a_second_reply() -> None:
    kinds = ("up", "down", "both", "freeze")
    # All of them only wait for keepalives: at once they take as long as one.
    with ThreadPoolExecutor(len(kinds)) as pool:
        found = dict(zip(kinds, pool.map(silence, kinds), strict=True))
    assert found == {kind: [] for kind in kinds}


def test_a_line_that_is_slow_or_breaks() -> None:
    with (
        Broker() as broker,
        Proxy(broker.port) as proxy,
        Witness(broker.port) as witness,
        DaemonProcess(proxy.port, script=QUICK, config=CONFIG, watch_port=broker.port) as daemon,
        TestClient(broker.port) as client,
    ):
        client.subscribe(f"{REPLIES}+", f"edged/{NODE}/stream/+")
        proxy.delay(0.2)
        client.send(NODE, "one two three four", id="slow")
        assert reply_of(client, "slow")["status"] == "ok"
        proxy.heal()
        asked = ["slow"]
        breaks: dict[str, Callable[[], None]] = {"reset": proxy.reset}
        for size in (0, 3, 60, 300, 400, 600):
            breaks[f"up-{size}"] = lambda size=size: proxy.cut_after(size, "up")  # type: ignore[misc]
        for size in (0, 3):
            breaks[f"down-{size}"] = lambda size=size: proxy.cut_after(size, "down")  # type: ignore[misc]
        for name, break_it in breaks.items():
            break_it()
            client.send(NODE, "one two three four five six seven eight", id=name)
            assert reply_of(client, name)["status"] == "ok"
            asked.append(name)
        proxy.heal()
        daemon.wait_online()
        served(client)
        time.sleep(SECOND_REPLY_S)
        assert proxy.cuts >= 6
        assert verdict(daemon, witness.history(), asked=asked, gaps=True) == []
