"""What a pace means to the other rooms, and what the governor is told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from edged.daemon import pacing
from edged.daemon.pacing import Doing
from edged.engine import frames
from edged.engine.codec import encode_checked
from edged.engine.frames import Effort, Load
from edged.serving.request import Priority
from edged.settings import ThermalConfig
from edged.telemetry.state import HeatView
from edged.thermal.pace import Admit, Pace, Sample
from edged.thermal.readings import (
    Alarm,
    Clock,
    Fan,
    NoReading,
    Reading,
    Senses,
    Throttled,
    Volts,
)

LOAD = Load(path="/m.gguf", threads=3, threads_batch=4, prefill_chunk=512)
NONE = NoReading("no such sensor")
BLIND = Senses(
    temperature=NONE, clock=NONE, alarm=NONE, volts=NONE, throttled=NONE, fan=NONE, pressure=NONE
)
WARM = replace(BLIND, temperature=Reading(71.5), clock=Clock(2_400_000), fan=Fan(3100, 125))
EFFORT = Effort(
    wall_ms=1000.0,
    busy_ms=500.0,
    core_ms=1500.0,
    decode_ms=400.0,
    decodes=8,
    tokens=16,
    decoding=2,
    threads=3,
)


def test_the_engine_tells_what_it_does() -> None:
    doing = pacing.told(Doing(), EFFORT, 7.0)
    assert doing == Doing(cores=1.5, decoding=2, threads=3, possible_tps=20.0, at=7.0)
    slower = replace(EFFORT, decode_ms=800.0)
    assert pacing.told(doing, slower, 8.0).possible_tps == pytest.approx(17.0), "smoothed"
    fewer = replace(slower, threads=2)
    assert pacing.told(doing, fewer, 8.0).possible_tps == pytest.approx(10.0), "another thing"
    reading = replace(EFFORT, decode_ms=0.0, decodes=0, decoding=0)
    assert pacing.told(doing, reading, 8.0).possible_tps == 20.0, "as it was"
    assert pacing.told(Doing(), replace(reading, wall_ms=0.0), 8.0) == Doing(threads=3, at=8.0)


def test_a_sample_is_what_engine_and_sensors_tell() -> None:
    doing = pacing.told(Doing(), EFFORT, 7.0)
    senses = replace(WARM, alarm=Alarm(on=True), throttled=Throttled(0b1010))
    assert pacing.sample(senses, doing) == Sample(
        celsius=71.5,
        busy=1.5,
        decoding=2,
        possible_tps=20.0,
        threads=3,
        undervoltage=True,
        capped=True,
        soft=True,
    )
    assert pacing.sample(BLIND, Doing()) == Sample(reason="no such sensor")
    assert pacing.sample(None, Doing()).reason == pacing.SILENT


def test_the_rules_are_those_of_the_configuration_and_the_load() -> None:
    rules = pacing.rules(ThermalConfig(hot_c=75, hysteresis_c=2), LOAD, 8.0)
    assert (rules.target_tps, rules.threads, rules.threads_batch) == (8.0, 3, 4)
    assert rules.prefill_chunk == 512
    assert (rules.trips.hot_c, rules.trips.hysteresis_c) == (75, 2)


def test_what_a_pace_leaves_open_is_as_loaded() -> None:
    free = pacing.frame(Pace(), LOAD)
    assert free == frames.Pace(threads=3, threads_batch=4, prefill_chunk=512)
    more = Pace(threads=8, threads_batch=8, prefill_chunk=2048)
    assert pacing.frame(more, LOAD) == free, "a pace of the model before"
    pace = Pace(decode_tps=8.0, threads=2, threads_batch=1, idle_share=0.25, prefill_chunk=64)
    assert pacing.frame(pace, LOAD) == frames.Pace(
        threads=2, threads_batch=1, idle_share=0.25, prefill_chunk=64, decode_tps=8.0
    )


@pytest.mark.parametrize("tps", [1e-9, 0.1, 8.0, 1e4, 1e9])
def test_a_frame_takes_any_rate(tps: float) -> None:
    assert encode_checked(pacing.frame(Pace(decode_tps=tps), LOAD))


@pytest.mark.parametrize(
    ("one", "other", "worth"),
    [
        (Pace(), Pace(), False),
        (Pace(decode_tps=8.0), Pace(decode_tps=8.1), False),
        (Pace(decode_tps=8.0), Pace(decode_tps=8.3), True),
        (Pace(decode_tps=8.0), Pace(), True),
        (Pace(), Pace(decode_tps=8.0), True),
        (Pace(decode_tps=8.0), Pace(decode_tps=8.1, threads=2), True),
        (Pace(idle_share=0.05), Pace(), True),
    ],
)
def test_only_a_change_is_worth_telling(one: Pace, other: Pace, worth: bool) -> None:
    assert pacing.differ(pacing.frame(one, LOAD), pacing.frame(other, LOAD)) is worth


def test_who_is_refused() -> None:
    assert [len(pacing.refused(admit)) for admit in Admit] == [0, 1, 2, 3]
    assert pacing.refused(Admit.URGENT) == (Priority.BACKGROUND, Priority.NORMAL)


def test_where_no_pace_is_wanted_only_the_firmware_is_told_of() -> None:
    pace = Pace(threads=1, admit=Admit.NONE, throttle="paced", time_to_throttle_s=9.0)
    assert pacing.left_to_firmware(pace) == Pace(time_to_throttle_s=9.0)
    assert pacing.left_to_firmware(replace(pace, throttle="soft")).throttle == "soft"


@pytest.mark.parametrize(
    ("pace", "possible", "held"),
    [
        (Pace(), 20.0, None),
        (Pace(decode_tps=8.0, idle_share=0.6), 20.0, 8.0),
        (Pace(idle_share=0.75), 20.0, 5.0),
        (Pace(idle_share=0.75), None, None),
    ],
)
def test_what_a_stream_is_held_to(pace: Pace, possible: float | None, held: float | None) -> None:
    assert pacing.paced_tps(pacing.frame(pace, LOAD), Doing(possible_tps=possible)) == held
    assert pacing.paced_tps(None, Doing(possible_tps=possible)) is None


def test_the_view_has_none_for_what_no_sensor_tells() -> None:
    pace = Pace(throttle="paced", time_to_throttle_s=20.0, cooldown_eta_s=90.0)
    assert pacing.view(WARM, pace, 8.0, Doing(threads=2)) == HeatView(
        temp_c=71.5,
        clock_mhz=2400,
        fan_rpm=3100,
        throttle="paced",
        pace_tps=8.0,
        threads=2,
        time_to_throttle_s=20.0,
        cooldown_eta_s=90.0,
    )
    assert pacing.view(BLIND, Pace(), None, Doing()) == HeatView()
    assert pacing.view(None, Pace(), None, Doing()) == HeatView()


def test_a_refusal_says_why_and_whom() -> None:
    rules = ThermalConfig(hot_c=72, hysteresis_c=2)
    said = [pacing.too_hot(WARM, admit, rules) for admit in Admit]
    assert said == [
        None,
        "72 C, background requests are refused",
        "72 C, only urgent requests are accepted",
        "72 C, no request is accepted",
    ]
    assert pacing.too_hot(BLIND, Admit.NO_BACKGROUND, rules) is None, "it is the sensor"
    cool = replace(WARM, temperature=Reading(69.9))
    assert pacing.too_hot(cool, Admit.NO_BACKGROUND, rules) is None, "it was the sensor"


def test_what_the_firmware_says_is_wrong() -> None:
    assert pacing.firmware(WARM) == {"undervoltage": None, "firmware_throttles": None}
    weak = replace(BLIND, throttled=Throttled(0b0011))
    assert pacing.firmware(weak) == {
        "undervoltage": "under 4.63 V of 5",
        "firmware_throttles": "how far is not known",
    }
    known = replace(weak, volts=Volts(4.5), clock=Clock(1_500_000))
    assert pacing.firmware(known) == {
        "undervoltage": "4.50 V of 5",
        "firmware_throttles": "1500 MHz",
    }
