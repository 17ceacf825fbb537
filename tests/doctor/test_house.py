from __future__ import annotations

import pytest

from edged.doctor.facts import Broker, Skipped, Unit
from edged.doctor.house import HARDENING, broker, clock, configuration, fields, unit
from tests.doctor.judging import UNIT, told


def changed(**properties: str) -> Unit:
    return Unit(UNIT.properties | properties)


def test_the_broker_lets_us_in_or_not() -> None:
    found = broker(Broker(where="pi:1883", availability="online"))
    assert told(found) == ("broker", "ok")
    assert found.evidence == "connected to pi:1883 and subscribed; edged there is online"
    assert "unheard of" in broker(Broker(where="pi:1883")).evidence
    refused = broker(Broker(where="pi:1883", problem="bad password"))
    assert told(refused) == ("broker_refuses", "error")
    assert refused.evidence == "bad password"
    assert told(broker(Skipped("recorded"))) == ("broker", "skipped")


def test_fields_without_a_value_are_named() -> None:
    assert fields(Skipped("recorded")) == []
    assert fields(Broker(where="pi:1883", problem="no", topics=2)) == []
    assert fields(Broker(where="pi:1883")) == []
    (well,) = fields(Broker(where="pi:1883", topics=2))
    assert told(well) == ("fields", "ok")
    (silent,) = fields(Broker(where="pi:1883", topics=2, silent=("butler.air",)))
    assert told(silent) == ("fields_silent", "advice")
    assert silent.evidence == "butler.air"
    many = tuple(f"butler.f{number}" for number in range(10))
    assert fields(Broker(where="pi:1883", topics=9, silent=many))[0].evidence.endswith(
        "butler.f7 and 2 more"
    )


def test_words_of_older_versions_are_told_with_their_place() -> None:
    assert told(configuration(())) == ("configuration", "ok")
    found = configuration(("edged.yaml:3: engine.repack: read as on",))
    assert told(found) == ("configuration_old", "advice")
    assert found.evidence == "edged.yaml:3: engine.repack: read as on"


def test_the_clock_is_in_step_or_not() -> None:
    assert told(clock(synchronised=True)) == ("clock", "ok")
    assert told(clock(synchronised=False)) == ("clock_unset", "warning")
    assert told(clock(Skipped("no timesyncd"))) == ("clock", "skipped")


def test_a_unit_as_we_made_it() -> None:
    assert [told(each) for each in unit(UNIT)] == [
        ("unit", "ok"),
        ("hardening", "ok"),
        ("unit_memory", "ok"),
    ]


def test_a_unit_that_is_not_there() -> None:
    assert [told(each) for each in unit(Unit({"LoadState": "not-found"}))] == [
        ("unit_missing", "advice")
    ]
    assert [told(each) for each in unit(Skipped("no systemd"))] == [("unit", "skipped")]


@pytest.mark.parametrize(
    ("properties", "code", "severity"),
    [
        ({"ActiveState": "failed", "Result": "exit-code"}, "unit_failed", "error"),
        ({"NeedDaemonReload": "yes"}, "unit_stale", "warning"),
        ({"MemoryMax": "1073741824"}, "unit_memory_limited", "advice"),
        ({"MemoryHigh": "1073741824"}, "unit_memory_limited", "advice"),
        *(({name: "no"}, "unit_open", "warning") for name in HARDENING),
    ],
)
def test_each_thing_that_may_be_wrong_with_it(
    properties: dict[str, str], code: str, severity: str
) -> None:
    bad = [each for each in unit(changed(**properties)) if each.severity != "ok"]
    assert [told(each) for each in bad] == [(code, severity)]
    assert any(value in bad[0].evidence for value in properties.values()) or code == "unit_stale"
