from __future__ import annotations

import os
import platform
import resource
import shutil
from pathlib import Path

import pytest

from edged.models.device import Roots, board_name, probe, recorded
from edged.models.facts import DeviceFacts
from tests.models.boards import BOARDS, board

GIB = 1 << 30


def test_a_pi_5_of_16_gb() -> None:
    assert board("pi5-16gb") == DeviceFacts(
        board="Raspberry Pi 5 Model B Rev 1.1",
        architecture="aarch64",
        cpu="Cortex-A76",
        cores=4,
        cpu_features=("asimd", "asimddp", "asimdhp"),
        ram_bytes=16_607_232 * 1024,
        available_bytes=15_814_528 * 1024,
        page_bytes=16_384,
        kernel="6.12.25+rpt-rpi-2712",
        governor="ondemand",
        max_khz=2_400_000,
        firmware="2025-05-08",
        storage="nvme",
        swap_bytes=524_272 * 1024,
        cooler=True,
    )


def test_what_differs_on_smaller_ones() -> None:
    eight, four = board("pi5-8gb"), board("pi5-4gb")
    assert (eight.storage, eight.zram_bytes, eight.swap_bytes) == ("sd", 2_097_136 * 1024, 0)
    assert (four.ram_bytes >> 28, four.cooler) == (15, False)
    assert eight.fingerprint("b1") != four.fingerprint("b1")
    assert eight.cgroup_limit_bytes is None


def test_a_pi_4_in_a_limited_group_of_version_1() -> None:
    facts = board("pi4-4gb")
    assert (facts.cpu, facts.cpu_features, facts.page_bytes) == ("Cortex-A72", ("asimd",), 4096)
    assert (facts.storage, facts.firmware) == ("usb", "2023-01-11")
    assert facts.cgroup_limit_bytes == 2 * GIB
    # pages of files are no part of what is charged, of all groups below it
    assert facts.cgroup_used_bytes == 62_914_560 - 4_194_304 - 2_097_152


def test_a_pc() -> None:
    facts = board("pc")
    assert (facts.board, facts.architecture, facts.cores) == ("OptiPlex 3000", "x86_64", 6)
    assert facts.cpu_features == ("avx", "avx2", "avx_vnni", "bmi2", "f16c", "fma")
    assert (facts.firmware, facts.storage, facts.cooler) == ("03/14/2025", "disk", None)


def test_the_name_alone(tmp_path: Path) -> None:
    assert board_name(BOARDS / "pi5-16gb") == "Raspberry Pi 5 Model B Rev 1.1"
    assert board_name(tmp_path) is None


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(BOARDS / "pi5-16gb", tmp_path / "board", symlinks=True)
    return tmp_path / "board"


def test_the_least_limit_on_the_path_counts(tree: Path) -> None:
    slice_ = tree / "sys/fs/cgroup/system.slice"
    (slice_ / "edged.service/memory.max").write_text(f"{12 * GIB}\n")
    (slice_ / "memory.max").write_text(f"{8 * GIB}\n")
    facts = probe(recorded(tree))
    assert facts.cgroup_limit_bytes == 8 * GIB
    assert facts.cgroup_used_bytes == 412_684_288  # of the group with the limit, which has no stat
    (slice_ / "memory.current").unlink()
    assert probe(recorded(tree)).cgroup_used_bytes is None
    (slice_ / "memory.max").write_text(f"{13 * GIB}\n")
    facts = probe(recorded(tree))
    assert facts.cgroup_limit_bytes == 12 * GIB
    assert facts.cgroup_used_bytes == 71_303_168 - 7_340_032 - 4_194_304


def test_an_empty_tree_knows_nothing(tmp_path: Path) -> None:
    assert probe(recorded(tmp_path)) == DeviceFacts(
        architecture="x86_64", cores=1, ram_bytes=0, available_bytes=0
    )


def test_the_date_of_a_boot_loader(tree: Path) -> None:
    stamp = tree / "proc/device-tree/chosen/bootloader/build-timestamp"
    for cell, day in ((b"\xff" * 4, "2106-02-07"), (bytes(4), None), (b"1234567", None)):
        stamp.write_bytes(cell)
        assert probe(recorded(tree)).firmware == day


def test_files_of_another_kind_are_as_missing(tree: Path) -> None:
    for name in ("proc/meminfo", "proc/self/mountinfo", "proc/self/cgroup", "proc/cpuinfo"):
        (tree / name).unlink()
        (tree / name).mkdir()
    os.mkfifo(tree / "proc/uptime")
    shutil.rmtree(tree / "sys/class/thermal")
    shutil.rmtree(tree / "sys/class/hwmon")
    facts = probe(recorded(tree))
    assert (facts.ram_bytes, facts.available_bytes, facts.cores) == (0, 0, 1)
    assert (facts.storage, facts.cgroup_limit_bytes, facts.cooler) == ("unknown", None, False)


def test_garbage_is_unknown(tree: Path) -> None:
    junk = bytes(range(256)) * 64
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(junk)
    facts = probe(recorded(tree))
    assert (facts.max_khz, facts.cgroup_limit_bytes, facts.ram_bytes) == (None, None, 0)
    assert (facts.cpu_features, facts.firmware, facts.zram_bytes) == ((), None, 0)
    assert facts.board is None or facts.board.isprintable()


def test_a_loop_of_links_is_no_storage(tree: Path) -> None:
    link = tree / "sys/dev/block/259:2"
    link.unlink()
    link.symlink_to("259:2")
    assert probe(recorded(tree)).storage == "unknown"


@pytest.mark.parametrize(
    ("folder", "file", "text"),
    [
        ("sys/class/thermal/cooling_device0", "type", "pwm-fan"),
        ("sys/class/hwmon/hwmon9", "name", "pwmfan"),
        ("sys/class/hwmon/hwmon9", "fan1_input", "0"),
    ],
)
def test_each_sign_of_a_fan_is_enough(tree: Path, folder: str, file: str, text: str) -> None:
    shutil.rmtree(tree / "sys/class/hwmon/hwmon2")
    shutil.rmtree(tree / "sys/class/thermal/cooling_device0")
    assert probe(recorded(tree)).cooler is False
    (tree / folder).mkdir()
    (tree / folder / file).write_text(text + "\n")
    assert probe(recorded(tree)).cooler is True


def test_this_machine(tmp_path: Path) -> None:
    facts = probe(Roots(models=tmp_path / "not" / "made"))
    assert facts.architecture == platform.machine()
    assert 1 <= facts.cores <= len(os.sched_getaffinity(0))
    assert facts.page_bytes == resource.getpagesize()
    assert 0 < facts.available_bytes <= facts.ram_bytes
    room = os.statvfs(tmp_path)
    assert facts.free_bytes is not None
    assert abs(facts.free_bytes - room.f_bavail * room.f_frsize) < GIB
    assert facts.kernel == platform.release()


def test_a_folder_that_cannot_be_named_has_no_room() -> None:
    assert probe(Roots(models=Path("a\0b"))).free_bytes is not None  # of the folder it is in
    assert probe(Roots()).free_bytes is None
