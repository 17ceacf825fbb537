"""Facts to judge: a healthy board, and what a test changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from edged.doctor.facts import Facts, Files, Kernel, Rates, ReadSpeed, Skipped, Unit
from edged.doctor.house import HARDENING
from edged.models.candidates import Choice
from edged.models.facts import DeviceFacts
from edged.models.fit import Budget
from edged.thermal.readings import (
    Alarm,
    Clock,
    Fan,
    NoReading,
    Pressure,
    Reading,
    Senses,
    Throttled,
    Volts,
)

if TYPE_CHECKING:
    from edged.doctor.finding import Finding

GIB = 1 << 30
UNSEEN = NoReading("no such sensor")
PI_5 = DeviceFacts(
    board="Raspberry Pi 5 Model B Rev 1.0",
    architecture="aarch64",
    cores=4,
    ram_bytes=8 * GIB,
    available_bytes=7 * GIB,
    governor="ondemand",
    firmware="2025-05-08",
    storage="sd",
    cooler=True,
)
PC = DeviceFacts(architecture="x86_64", cores=8, ram_bytes=16 * GIB, available_bytes=9 * GIB)
SENSES = Senses(
    temperature=Reading(50.0),
    clock=Clock(2_400_000, 2_400_000, "ondemand"),
    alarm=Alarm(on=False),
    volts=Volts(5.0),
    throttled=Throttled(0),
    fan=Fan(2900, 75),
    pressure=Pressure(0.0, 0.0),
)
BLIND = Senses(
    temperature=UNSEEN,
    clock=UNSEEN,
    alarm=UNSEEN,
    volts=UNSEEN,
    throttled=UNSEEN,
    fan=UNSEEN,
    pressure=UNSEEN,
)
CHOICE = Choice(
    status="none",
    target=8.0,
    context=2048,
    budget=Budget(have=6 * GIB, limit="memory", reserve=GIB // 2),
    chosen=None,
    serves=None,
)
KERNEL = Kernel(command_line="quiet numa=fake=8", nodes=8, cpu=0.5)
SPEED = ReadSpeed(file="a.gguf", size=4_000_000_000, read=64_000_000, seconds=0.8)
UNIT = Unit(
    {
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "NRestarts": "0",
        "NeedDaemonReload": "no",
        "MemoryHigh": "infinity",
        "MemoryMax": "infinity",
        "User": "edged",
    }
    | {name: closed[0] for name, closed in HARDENING.items()}
)
FACTS = Facts(
    device=PI_5,
    senses=SENSES,
    kernel=KERNEL,
    choice=CHOICE,
    load_timeout_s=300.0,
    files=Files(directory="/models"),
    speed=SPEED,
    rates=Rates(),
    broker=Skipped("not asked"),
    synchronised=True,
    unit=UNIT,
)


def senses(**changes: object) -> Senses:
    """The healthy board's, with other readings."""
    return replace(SENSES, **changes)


def told(finding: Finding) -> tuple[str, str]:
    """What a test compares: words may change, codes are for programs."""
    return finding.code, finding.severity
