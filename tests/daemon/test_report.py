from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edged.daemon import report
from edged.health import Health
from edged.serving.dispatcher import Dispatcher, Standing
from edged.serving.state import Settings
from edged.settings import Config, ServingConfig
from edged.telemetry.meter import Meter
from edged.telemetry.state import HeatView

if TYPE_CHECKING:
    from edged.telemetry.state import State

STANDING = Dispatcher(Settings()).snapshot(0.0)


def standing(**fields: Any) -> Standing:
    return msgspec.structs.replace(STANDING, **fields)


@pytest.mark.parametrize(
    ("fields", "loading", "word"),
    [
        ({"draining": True, "fatal": "x"}, False, "stopping"),
        ({"fatal": "x"}, False, "failed"),
        ({"ready": False}, True, "loading"),
        ({"ready": False}, False, "backoff"),
        ({"ready": True, "running": 1, "paused": True}, False, "busy"),
        ({"ready": True, "paused": True}, False, "paused"),
        ({"ready": True}, False, "ready"),
    ],
)
def test_one_word_says_the_most_telling_thing(
    fields: dict[str, Any],
    loading: bool,
    word: str,
) -> None:
    assert report.status_word(standing(**fields), loading=loading) == word


def view(health: Health | None = None, **fields: Any) -> State:
    return report.state(
        standing=standing(**fields),
        rates=Meter().snapshot(0.0),
        problems=(health or Health()).visible(1000.0),
        variant="pocket",
        streams=2,
        heat=HeatView(),
        ram_headroom_mib=None,
        loading=False,
        uptime_s=61.4,
    )


def test_what_is_not_known_is_null_and_never_zero() -> None:
    encoded = msgspec.json.decode(msgspec.json.encode(view(ready=True)))
    for name in ("tps", "tps_1m", "tps_15m", "pp_tps", "ttft_ms", "oldest_wait_s"):
        assert encoded[name] is None
    assert (encoded["uptime_s"], encoded["streams"]) == (61, 2)


def test_problems_are_told_in_the_state_and_the_status_line() -> None:
    health = Health()
    health.raise_("ledger_lost", 0.0, "the disk is full")
    state = view(health, ready=True)
    assert state.problems[0].code == "ledger_lost"
    assert state.problems[0].severity == "warning"
    assert "the disk is full" in report.status_line(state)


def test_the_status_line_is_one_line_with_variant_rate_and_queue() -> None:
    state = msgspec.structs.replace(view(ready=True, running=1, waiting=2), tps=8.03, temp_c=51.6)
    assert report.status_line(state) == "busy, pocket, 8.0 tok/s, 52 C, 1 running, 2 waiting"


def test_without_a_decode_the_last_minute_speaks() -> None:
    state = msgspec.structs.replace(view(ready=True), tps_1m=7.5, variant=None)
    assert report.status_line(state) == "ready, 7.5 tok/s, 0 running, 0 waiting"


def test_what_slows_it_stands_in_the_status_line() -> None:
    state = msgspec.structs.replace(view(ready=True), temp_c=72.0, throttle="paced")
    assert report.status_line(state) == "ready, pocket, 72 C, paced, 0 running, 0 waiting"


def test_what_is_retained_before_the_engine_is_up() -> None:
    config = Config(node="kitchen", serving=ServingConfig(capacity=8, max_tokens_limit=99))
    said = report.info(config, None, "b00f")
    assert (said.node, said.boot_id, said.model) == ("kitchen", "b00f", None)
    assert (said.limits.capacity, said.limits.per_client, said.limits.max_tokens) == (8, 6, 99)
