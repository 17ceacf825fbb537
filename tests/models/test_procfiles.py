from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.models import procfiles
from tests.models.boards import BOARDS


def text(board: str, name: str) -> str:
    return (BOARDS / board / name).read_text()


def test_numbers() -> None:
    assert procfiles.number(" 42\n") == 42
    for bad in ("", "max", "-1", "1.5", "0x10", "9223372036854771712", "1" * 30, "\u0664"):
        assert procfiles.number(bad) is None, bad


def test_meminfo_takes_lines_in_kb() -> None:
    found = procfiles.meminfo(text("pi5-8gb", "proc/meminfo") + "Odd: 3\nActive(anon):  5 kB\n")
    assert found["MemTotal"] == 8_257_312 * 1024
    assert found["Active(anon)"] == 5120
    assert "Odd" not in found
    assert "HugePages_Total" not in found


def test_processors() -> None:
    pc, pi = text("pc", "proc/cpuinfo"), text("pi5-16gb", "proc/cpuinfo")
    assert (procfiles.cores(pc), procfiles.cores(pi), procfiles.cores("")) == (6, 4, 0)
    assert procfiles.cpu_name(pc) == "12th Gen Intel(R) Core(TM) i5-12400"
    assert procfiles.cpu_name("CPU part\t: 0xfff\n") == "Arm part 0xfff"
    assert procfiles.cpu_name("nothing") is None
    assert procfiles.cpu_features("nothing") == ()


def test_swap_is_told_from_zram() -> None:
    table = "Filename Type Size Used Priority\n/dev/zram0 partition 8 0 100\n"
    table += "/var/swap file 4 0 -2\n/dev/sda1 partition 2 0 -3\ncut off\n/x file many 0 0\n"
    assert procfiles.swaps(table) == (6 * 1024, 8 * 1024)
    assert procfiles.swaps("") == (0, 0)


def test_groups() -> None:
    both = "11:cpu,memory:/a/b\n1:name=systemd:/c\n0::/d\nbroken\n"
    assert procfiles.group_paths(both) == {1: "/a/b", 2: "/d"}
    assert procfiles.group_paths("") == {}
    assert list(procfiles.lineage("/a/../b/c")) == ["a/b/c", "a/b", "a", ""]
    assert list(procfiles.lineage("/")) == [""]


def test_file_pages_of_both_versions() -> None:
    assert procfiles.file_pages("active_file 3\ninactive_file 4\nfile 9\n") == 7
    assert procfiles.file_pages("active_file 3\ntotal_active_file 30\ntotal_inactive_file 1") == 31
    assert procfiles.file_pages("active_file x") == 0


def test_the_longest_mount_point_that_was_mounted_last() -> None:
    table = (
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 8:2 / /var/lib rw - ext4 /dev/sda2 rw\n"
        "short\n"
        "3 1 8:3 / /var/lib\\040two rw - ext4 /dev/sda3 rw\n"
        "4 1 8:4 / /var/lib rw - ext4 /dev/sda4 rw\n"
    )
    assert procfiles.mount_device(table, "/var/lib/edged") == "8:4"
    assert procfiles.mount_device(table, "/var/lib") == "8:4"
    assert procfiles.mount_device(table, "/var/library") == "8:1"
    assert procfiles.mount_device(table, "/var/lib two/x") == "8:3"
    assert procfiles.mount_device("", "/") is None


@given(st.text())
def test_nothing_raises_whatever_it_is_given(junk: str) -> None:
    assert all(value >= 0 for value in procfiles.meminfo(junk).values())
    assert procfiles.cores(junk) >= 0
    assert set(procfiles.cpu_features(junk)) <= procfiles.FEATURES
    assert min(procfiles.swaps(junk)) >= 0
    assert set(procfiles.group_paths(junk)) <= {1, 2}
    assert procfiles.file_pages(junk) >= 0
    assert procfiles.mount_device(junk, "/var") is None or junk
    assert procfiles.cpu_name(junk) is None or junk
