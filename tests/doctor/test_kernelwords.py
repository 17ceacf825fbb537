from __future__ import annotations

import pytest

from edged.doctor import kernelwords


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 1),
        ("0-7\n", 8),
        ("0,2-3", 3),
        ("", None),
        ("all", None),
        ("7-0", None),
        ("0-9999", None),
        ("0-99999", None),
    ],
)
def test_nodes_are_counted(text: str, count: int | None) -> None:
    assert kernelwords.nodes(text) == count


def test_the_boot_loaders_word_on_the_banks() -> None:
    assert kernelwords.banklow("[all]\nBOOT_UART=1\nSDRAM_BANKLOW=3\n") == 3
    assert kernelwords.banklow("[all]\n# SDRAM_BANKLOW=3") is None
    assert kernelwords.banklow("SDRAM_BANKLOW=low") is None


def test_waiting_for_a_core() -> None:
    line = "some avg10=46.18 avg60=0.31 avg300=0.20 total=9182213\nfull avg10=0.00 avg60=0.00"
    assert kernelwords.waiting(line) == 46.18
    assert kernelwords.waiting(line.replace("46.18", "461.8")) is None
    assert kernelwords.waiting("") is None


def test_what_is_in_swap() -> None:
    assert kernelwords.swapped({"SwapTotal": 100, "SwapFree": 30}) == 70
    assert kernelwords.swapped({"SwapFree": 30}) == 0
