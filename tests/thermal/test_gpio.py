from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from edged.thermal.gpio import NoGpio, drivers, firmware_fan, open_pins

if TYPE_CHECKING:
    from pathlib import Path

PI_5 = b"raspberrypi,5-model-b\0brcm,bcm2712\0"
PI_4 = b"raspberrypi,4-model-b\0brcm,bcm2711\0"


def board(root: Path, compatible: bytes, rp1: int | None = None) -> Path:
    tree = root / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(compatible)
    for chip in range(0 if rp1 is None else rp1 + 1):
        node = root / f"sys/bus/gpio/devices/gpiochip{chip}/of_node"
        node.mkdir(parents=True)
        name = b"raspberrypi,rp1-gpio" if chip == rp1 else b"brcm,brcmstb-gpio"
        (node / "compatible").write_bytes(name + b"\0")
    return root


class Drivers:
    """Modules in the place of gpiozero's, as if their libraries were there."""

    def __init__(self, patch: pytest.MonkeyPatch, failing: tuple[str, ...] = ()) -> None:
        self.opened: list[tuple[str, dict[str, int]]] = []
        self._failing = failing
        for name, factory in (("lgpio", "LGPIOFactory"), ("rpigpio", "RPiGPIOFactory")):
            module = SimpleNamespace(**{factory: self._maker(name)})
            patch.setitem(sys.modules, f"gpiozero.pins.{name}", module)

    def _maker(self, name: str) -> object:
        def make(**options: int) -> str:
            self.opened.append((name, options))
            if name in self._failing:
                message = "can not open gpiochip"
                raise OSError(message)
            return name

        return make


def test_a_pi_5_is_never_touched_by_drivers_of_older_boards() -> None:
    for name in ("raspberrypi,5-model-b", "raspberrypi,500", "raspberrypi,5-compute-module"):
        assert drivers([name, "brcm,bcm2712"]) == ("lgpio",)
    assert drivers(["raspberrypi,4-model-b", "brcm,bcm2711"]) == ("lgpio", "rpigpio")
    assert drivers(["friendlyarm,nanopi-m4", "rockchip,rk3399"]) == drivers([]) == ()


@pytest.mark.parametrize("chip", [0, 4])
def test_the_chip_of_a_pi_5_is_found_wherever_its_kernel_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chip: int
) -> None:
    found = Drivers(monkeypatch)
    assert open_pins(board(tmp_path, PI_5, rp1=chip)) == "lgpio"
    assert found.opened == [("lgpio", {"chip": chip})]


def test_a_pi_5_whose_chips_tell_nothing_is_tried_at_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Drivers(monkeypatch, failing=("lgpio",))
    assert open_pins(board(tmp_path, PI_5)) == NoGpio("lgpio: can not open gpiochip")
    assert found.opened == [("lgpio", {"chip": 0})]


def test_an_older_board_takes_the_next_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Drivers(monkeypatch, failing=("lgpio",))
    assert open_pins(board(tmp_path, PI_4)) == "rpigpio"
    assert found.opened == [("lgpio", {}), ("rpigpio", {})]


@pytest.mark.skipif("lgpio" in sys.modules, reason="this machine has lgpio")
def test_a_driver_without_its_library_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    found = open_pins(board(tmp_path, PI_5))
    assert isinstance(found, NoGpio)
    assert found.reason.startswith("lgpio: ")
    assert "lgpio" in found.reason.removeprefix("lgpio: ")


@pytest.mark.parametrize("compatible", [b"", b"\xff" * 100, b"x" * 1000, b"rockchip,rk3399\0"])
def test_no_raspberry_pi_has_no_pins(tmp_path: Path, compatible: bytes) -> None:
    assert open_pins(board(tmp_path, compatible)) == NoGpio("this board is no Raspberry Pi")
    assert isinstance(open_pins(tmp_path / "nothing"), NoGpio)


@pytest.mark.parametrize(
    ("file", "name", "has"),
    [
        ("hwmon/hwmon2/name", "pwmfan", True),
        ("thermal/cooling_device0/type", "gpio-fan", True),
        ("hwmon/hwmon0/name", "cpu_thermal", False),
        ("thermal/cooling_device0/type", "cpufreq-cpu0", False),
    ],
)
def test_a_fan_of_the_firmware_is_seen(tmp_path: Path, file: str, name: str, has: bool) -> None:
    assert not firmware_fan(tmp_path)
    path = tmp_path / "sys/class" / file
    path.parent.mkdir(parents=True)
    path.write_text(f"{name}\n")
    assert firmware_fan(tmp_path) is has
