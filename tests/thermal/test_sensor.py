from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.thermal.sensor import NoReading, Reading, read

if TYPE_CHECKING:
    from pathlib import Path


def zone(root: Path, number: int, kind: str, temp: str | None) -> None:
    path = root / f"sys/class/thermal/thermal_zone{number}"
    path.mkdir(parents=True)
    (path / "type").write_text(f"{kind}\n")
    if temp is not None:
        (path / "temp").write_text(f"{temp}\n")


def test_the_zone_is_found_by_its_type(tmp_path: Path) -> None:
    zone(tmp_path, 0, "nvme", "30000")
    zone(tmp_path, 1, "cpu-thermal", "51650")
    assert read(tmp_path) == Reading(51.65)


def test_the_first_of_two_zones_counts(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", "40000")
    zone(tmp_path, 1, "cpu-thermal", "50000")
    assert read(tmp_path) == Reading(40.0)


def test_no_zone_is_no_reading(tmp_path: Path) -> None:
    assert read(tmp_path) == NoReading("no thermal zone of a processor")


@pytest.mark.parametrize("temp", ["", "hot", "-274000", "200000", "1" * 100, "\x00", None])
def test_a_sensor_that_is_ill_gives_a_reason_and_never_a_number(
    tmp_path: Path, temp: str | None
) -> None:
    zone(tmp_path, 0, "cpu-thermal", temp)
    assert isinstance(read(tmp_path), NoReading)
