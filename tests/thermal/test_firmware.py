from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from edged.thermal import firmware, gencmd
from edged.thermal.firmware import Mailbox, Recorded
from edged.thermal.readings import NoReading, Throttled, Volts
from tests.thermal.heat import BOARDS, HEAT


class FakeFirmware:
    """Takes a message as the device does and leaves an answer in it."""

    def __init__(self, answers: dict[str, str], fault: int = 0) -> None:
        self.answers = answers
        self.fault = fault
        self.requests: list[int] = []

    def __call__(self, fd: int, request: int, arg: bytearray, mutate_flag: bool, /) -> int:
        assert os.fstat(fd)
        assert mutate_flag
        self.requests.append(request)
        if self.fault:
            raise OSError(self.fault, os.strerror(self.fault))
        command = bytes(arg[24:]).partition(b"\0")[0].decode()
        struct.pack_into("=I", arg, 4, gencmd.ANSWERED)
        arg[24:-4] = self.answers[command].encode().ljust(gencmd.TEXT_BYTES, b"\0")
        return 0


ANSWERS = {
    "get_throttled": "throttled=0x50005",
    "pmic_read_adc EXT5V_V": "         EXT5V_V volt(24)=4.62153000V",
}


def device(root: Path, *names: str) -> Path:
    (root / "dev").mkdir(exist_ok=True)
    for name in names:
        (root / "dev" / name).touch()
    return root


def test_the_firmware_is_asked_by_the_kernels_own_number(tmp_path: Path) -> None:
    fake = FakeFirmware(ANSWERS)
    ask = Mailbox(device(tmp_path, "vcio"), fake).ask
    assert firmware.throttled(ask) == Throttled(0x50005)
    assert firmware.volts(ask) == Volts(4.62153)
    assert fake.requests == [0xC0086400] * 2  # of a kernel with pointers of 8 bytes


def test_the_device_for_commands_comes_first(tmp_path: Path) -> None:
    fake = FakeFirmware(ANSWERS)
    ask = Mailbox(device(tmp_path, "vcio", "vcio_gencmd"), fake).ask
    assert ask("get_throttled") == "throttled=0x50005"
    assert len(fake.requests) == 1


@pytest.mark.parametrize("fault", [errno.ENOTTY, errno.EPERM, errno.EIO])
def test_a_device_that_refuses_is_no_reading(tmp_path: Path, fault: int) -> None:
    ask = Mailbox(device(tmp_path, "vcio"), FakeFirmware({}, fault)).ask
    found = firmware.throttled(ask)
    assert found == NoReading(f"{tmp_path}/dev/vcio does not answer: {os.strerror(fault)}")
    assert firmware.volts(ask) == found


def test_a_file_in_place_of_the_device_is_no_reading(tmp_path: Path) -> None:
    found = firmware.throttled(Mailbox(device(tmp_path, "vcio")).ask)  # the kernel's own ioctl
    assert found == NoReading(f"{tmp_path}/dev/vcio does not answer: {os.strerror(errno.ENOTTY)}")


def test_no_device_is_no_reading(tmp_path: Path) -> None:
    assert Mailbox(tmp_path, FakeFirmware(ANSWERS)).ask("x") == NoReading("no firmware to ask")


def test_a_closed_device_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path), flags)

    mailbox = Mailbox(device(tmp_path, "vcio"), FakeFirmware(ANSWERS))
    monkeypatch.setattr(os, "open", closed)  # root may open everything
    found = mailbox.ask("get_throttled")
    assert found == NoReading(f"{tmp_path}/dev/vcio cannot be opened: Permission denied")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_each_look_closes_what_it_opened(tmp_path: Path) -> None:
    ask = Mailbox(device(tmp_path, "vcio"), FakeFirmware({}, errno.ENOTTY)).ask
    before = descriptors()
    for _ in range(10):
        ask("get_throttled")
    assert descriptors() == before


def test_a_recorded_board_answers_from_its_files() -> None:
    ask = Recorded(HEAT / "throttled").ask
    assert firmware.throttled(ask) == Throttled(0xE0008)
    assert firmware.volts(ask) == Volts(4.99563)


def test_a_pi_4_cannot_measure_its_supply() -> None:
    found = firmware.volts(Recorded(BOARDS / "pi4-4gb").ask)
    assert isinstance(found, NoReading)
    assert "the firmware says" in found.reason
