"""A simulated board around a real worker, whose CPU time heats it; its sensors are files."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final, Self

import psutil

from bench.plant.board import Plant
from bench.plant.coolers import ACTIVE, BARE, FAN_STEPS
from bench.plant.rates import CORES

if TYPE_CHECKING:
    from pathlib import Path

    from bench.plant.board import Look

TICK_S: Final = 0.25  # real seconds between two steps; the daemon looks once in four of them
FULL_RPM: Final = 8000  # of the Active Cooler at full duty
FULL_PWM: Final = 255
ZONE: Final = "sys/class/thermal/thermal_zone0"
SUPPLY: Final = "sys/class/hwmon/hwmon1"
FAN: Final = "sys/class/hwmon/hwmon2"
CLOCK: Final = "sys/devices/system/cpu/cpufreq/policy0"


class Tree:
    """The files in which a Pi 5 tells temperature, clock, throttling and fan.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._write(f"{ZONE}/type", "cpu-thermal")
        self._write(f"{SUPPLY}/name", "rpi_volt")
        self._write(f"{SUPPLY}/in0_lcrit_alarm", "0")
        self._write(f"{CLOCK}/cpuinfo_max_freq", "2400000")
        self._write(f"{CLOCK}/scaling_governor", "ondemand")

    def tell(self, look: Look, *, fan: bool) -> None:
        """Write what the sensors of such a board would say."""
        self._write(f"{ZONE}/temp", str(round(look.celsius * 1e3)))
        self._write(f"{CLOCK}/scaling_cur_freq", str(round(look.mhz * 1e3)))
        self._write("vcgencmd/get_throttled", f"throttled={look.bits:#x}")
        if fan:
            duty = FAN_STEPS[look.fan - 1][1] if look.fan else 0
            self._write(f"{FAN}/name", "pwmfan")
            self._write(f"{FAN}/fan1_input", str(FULL_RPM * duty // FULL_PWM))
            self._write(f"{FAN}/pwm1", str(duty))

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all: the daemon reads meanwhile."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(text + "\n")
        os.replace(part, path)  # noqa: PTH105 - as everywhere where a file is replaced


class Board:
    """`with Board(...) as board:` heats and cools in a thread of its own.

    Args:
        tree: What it tells.
        ambient: Degrees C of the room.
        threads: Of the worker; all of them at work are all cores of the board.
        speed: Seconds of the board in one real second.
    """

    def __init__(self, tree: Tree, *, ambient: float, threads: int, speed: float) -> None:
        self._tree = tree
        self._ambient = ambient
        self._scale = CORES / threads
        self._speed = speed
        self._plant = Plant(BARE, ambient)
        self._fan = False
        self._worker: psutil.Process | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="board")
        self.look = self._plant.step(1.0, 0.0)
        self.hottest = self.look.celsius
        tree.tell(self.look, fan=False)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def follow(self, pid: int) -> None:
        """From now on this process heats it."""
        self._worker = psutil.Process(pid)

    def mount_fan(self) -> None:
        """An active cooler is put on; die and board begin at the temperature of the die."""
        self._plant = Plant(ACTIVE, self._ambient, self.look.celsius)
        self._fan = True

    def _live(self) -> None:
        now, spent = time.monotonic(), self._spent()
        while not self._stopping.wait(TICK_S):
            before, now = now, time.monotonic()
            used, spent = spent, self._spent()
            cores = max(0.0, spent - used) / (now - before) * self._scale
            look = self._plant.step((now - before) * self._speed, min(float(CORES), cores))
            self.look, self.hottest = look, max(self.hottest, look.celsius)
            self._tree.tell(look, fan=self._fan)

    def _spent(self) -> float:
        """CPU seconds of the worker so far."""
        if self._worker is None:
            return 0.0
        try:
            times = self._worker.cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)
