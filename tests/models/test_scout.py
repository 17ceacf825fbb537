from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from edged.models import scout as module
from edged.models.headershelf import FOLDER
from edged.models.scout import FEW, Scout
from edged.models.variants import Catalogue, Family
from tests.models.hubrig import VARIANT, hub, world
from tests.rig.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.models.variants import Variant
    from tests.rig.hub import Hub

CATALOGUE = Catalogue(families=(Family(id="tiny", name="Tiny", variants=(VARIANT,)),))


@pytest.fixture
def rig() -> Iterator[Hub]:
    with hub() as running:
        yield running


def scout(rig: Hub, folder: Path, **more: Any) -> Scout:
    return Scout(world(rig, folder / "models", **more), folder)


def read(scout: Scout, *variants: Variant) -> list[str]:
    async def said() -> list[str]:
        return [each async for each in scout.read(variants or (VARIANT,))]

    return asyncio.run(said())


def test_a_header_is_read_once_and_known_from_then_on(rig: Hub, tmp_path: Path) -> None:
    first = scout(rig, tmp_path)
    assert first.known(CATALOGUE) == {}
    assert first.due([VARIANT]) == (VARIANT,)
    (said,) = read(first)
    assert said.startswith(f"{VARIANT.id}: its header is known")
    assert set(first.known(CATALOGUE)) == {VARIANT.id}
    assert first.due([VARIANT]) == ()
    assert set(scout(rig, tmp_path).known(CATALOGUE)) == {VARIANT.id}
    assert not (tmp_path / "models").exists()


def test_a_few_at_a_time(rig: Hub, tmp_path: Path) -> None:
    many = [replace(VARIANT, revision=str(number)) for number in range(FEW + 2)]
    assert scout(rig, tmp_path).due(many) == tuple(many[:FEW])


def test_nothing_is_asked_for_where_or_when_that_is_not_allowed(rig: Hub, tmp_path: Path) -> None:
    forbidden = scout(rig, tmp_path, enabled=False)
    assert forbidden.due([VARIANT]) == ()
    assert forbidden.hindrance == "model.download.enabled is false"
    minute = 60
    quiet = scout(rig, tmp_path, quiet_hours="01:00-02:00", minute=lambda: minute)
    assert quiet.due([VARIANT]) == ()
    assert quiet.hindrance is not None
    assert "quiet hours, 01:00-02:00" in quiet.hindrance
    minute = 120
    assert quiet.due([VARIANT]) == (VARIANT,)


def test_a_source_that_fails_is_left_alone_ever_longer(rig: Hub, tmp_path: Path) -> None:
    clock = FakeClock()
    asked = scout(rig, tmp_path, clock=clock)
    rig.misbehave("hub", "broken")
    waits = []
    for _ in range(3):
        (said,) = read(asked)
        assert "again in" in said
        waits.append(0)
        while not asked.due([VARIANT]):
            clock.advance(1.0)
            waits[-1] += 1
    assert waits == [10, 20, 40]
    rig.behave()
    assert "its header is known" in read(asked)[0]


@pytest.mark.parametrize("fault", ["gone", "gated", "to_file"])
def test_a_source_that_refuses_is_not_asked_again(rig: Hub, tmp_path: Path, fault: str) -> None:
    asked = scout(rig, tmp_path)
    rig.misbehave("hub", fault)
    (told,) = read(asked)
    assert told.startswith(f"{VARIANT.id}: ")
    assert "again in" not in told
    assert asked.due([VARIANT]) == ()


def test_a_file_that_is_no_model_is_told_and_not_asked_for_again(rig: Hub, tmp_path: Path) -> None:
    rig.files[VARIANT.file] = b"<html>" * 100
    asked = scout(rig, tmp_path)
    assert "not a GGUF file" in read(asked)[0]
    assert asked.due([VARIANT]) == ()
    assert asked.known(CATALOGUE) == {}


def test_a_server_that_drips_does_not_hold_up_the_next_one(
    rig: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ONE_S", 0.2)
    rig.misbehave("cdn", "silent", 1)
    asked = scout(rig, tmp_path)
    late, known = read(asked, replace(VARIANT, id="late", revision="late"), VARIANT)
    assert "did not come within" in late
    assert "its header is known" in known


def test_headers_come_at_the_rate_of_downloads_and_are_not_late_for_it(
    rig: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(seconds)
        if len(waited) == 1:  # longer than a header may take, had the cap no share in it
            await asyncio.sleep(1.1)

    monkeypatch.setattr(module, "ONE_S", 1.0)
    clock = FakeClock()
    asked = scout(rig, tmp_path, rate_mib_s=0.125, clock=clock, sleep=sleep)
    other = replace(VARIANT, id="other", revision="other")
    assert all("its header is known" in said for said in read(asked, VARIANT, other))
    assert sum(waited) == pytest.approx(rig.sent / (0.125 * (1 << 20)), rel=0.05)


def test_no_header_is_read_once_quiet_hours_have_begun(rig: Hub, tmp_path: Path) -> None:
    minutes = iter([59, 60])
    asked = scout(rig, tmp_path, quiet_hours="01:00-02:00", minute=lambda: next(minutes))
    other = replace(VARIANT, id="other", revision="other")
    first, second = read(asked, VARIANT, other)
    assert "its header is known" in first
    assert "quiet hours" in second
    assert len(rig.asked("cdn")) == 1


def test_a_disk_that_takes_nothing_is_told(rig: Hub, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    asked = scout(rig, tmp_path)
    assert FOLDER in read(asked)[0]
    assert asked.due([VARIANT]) == ()


def test_an_endpoint_that_is_none_is_told(rig: Hub, tmp_path: Path) -> None:
    asked = scout(rig, tmp_path, endpoint="file:///etc")
    (said,) = read(asked)
    assert VARIANT.id in said
