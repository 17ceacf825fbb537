from __future__ import annotations

import pytest
from msgspec.structs import replace

from edged.doctor.board import firmware, governor, is_pi_5, numa, swap
from edged.doctor.facts import Kernel
from tests.doctor.judging import KERNEL, PC, PI_5, told

GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Raspberry Pi 5 Model B Rev 1.1", True),
        ("Raspberry Pi 500 Rev 1.0", True),
        ("Raspberry Pi Compute Module 5 Rev 1.0", True),
        ("Raspberry Pi 4 Model B Rev 1.4", False),
        (None, False),
    ],
)
def test_which_boards_have_the_processor(name: str | None, is_one: bool) -> None:
    assert is_pi_5(replace(PI_5, board=name)) is is_one


def test_memory_of_a_pi_5_is_interleaved() -> None:
    found = numa(PI_5, KERNEL)
    assert told(found) == ("numa", "ok")
    assert found.evidence == "8 nodes online, numa=fake=8 in the command line"


@pytest.mark.parametrize(
    ("banklow", "severity"), [(None, "warning"), (1, "warning"), (3, "advice")]
)
def test_without_numa_the_boot_loaders_default_is_bad(banklow: int | None, severity: str) -> None:
    found = numa(PI_5, Kernel(command_line="quiet", nodes=1, banklow=banklow))
    assert told(found) == ("no_numa", severity)
    assert "1 node online, no numa=fake" in found.evidence
    assert ("SDRAM_BANKLOW" in found.evidence) is (banklow is not None)


def test_where_numa_is_no_question() -> None:
    assert told(numa(PC, KERNEL)) == ("numa", "skipped")
    assert told(numa(PI_5, Kernel())) == ("numa", "skipped")


def test_an_old_boot_loader_is_worth_an_update() -> None:
    assert told(firmware(PI_5)) == ("firmware", "ok")
    assert told(firmware(replace(PI_5, firmware="2024-11-04"))) == ("old_firmware", "advice")
    assert told(firmware(replace(PI_5, firmware=None))) == ("firmware", "skipped")
    assert told(firmware(PC)) == ("firmware", "skipped")


def test_a_governor_follows_the_load() -> None:
    assert told(governor(PI_5)) == ("governor", "ok")
    slow = replace(PI_5, governor="powersave")
    assert told(governor(slow)) == ("slow_governor", "warning")
    assert told(governor(replace(slow, architecture="x86_64"))) == ("governor", "ok")
    assert told(governor(PC)) == ("governor", "skipped")


def test_swap_on_a_card_is_advised_against() -> None:
    card = replace(PI_5, swap_bytes=GIB)
    found = swap(card, Kernel(swapped=3 << 20))
    assert told(found) == ("swap_on_card", "advice")
    assert found.evidence == "1024 MiB on disk, 0 MiB in zram, 3 MiB used"
    assert told(swap(replace(card, storage="nvme"), KERNEL)) == ("swap", "ok")
    assert told(swap(replace(PI_5, zram_bytes=GIB), KERNEL)) == ("swap", "ok")
