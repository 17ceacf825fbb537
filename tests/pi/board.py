"""Which board the emulator is: a Raspberry Pi's processor, memory and name, and no network."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

from tests.pi import kernels

if TYPE_CHECKING:
    from pathlib import Path

EMULATOR = "qemu-system-aarch64"


class Board(NamedTuple):
    """A Raspberry Pi as its device tree tells of it.

    Attributes:
        model: Its name.
        revision: Its code, in hexadecimal: maker, memory, processor.
        cpu: As the emulator calls the processor.
        memory: As the emulator takes it.
        flavour: Of its kernel.
    """

    model: str
    revision: str
    cpu: str
    memory: str
    flavour: str


PI_5 = Board("Raspberry Pi 5 Model B Rev 1.0", "c04170", "cortex-a76", "4G", kernels.BIG_PAGES)
PI_4 = Board("Raspberry Pi 4 Model B Rev 1.4", "c03114", "cortex-a72", "4G", kernels.SMALL_PAGES)
CORES = 4
COMMAND_LINE = "console=ttyAMA0 root=/dev/vda rw mitigations=off"


def command(board: Board, disk: Path, folder: Path) -> list[str]:
    """What starts the emulator; what is written to the disk goes with it.

    Args:
        board: What it is.
        disk: Where it boots from.
        folder: For its device tree, its console and its socket `agent`.
    """
    kernel = kernels.kernel(board.flavour)
    words = f"""
    {" ".join(_hardware(board))} -dtb {_device_tree(board, folder)}
    -accel tcg,thread=multi,tb-size=512
    -kernel {kernel.image} -initrd {kernel.initramfs}
    -drive if=none,id=card,file={disk},format=raw,snapshot=on,cache=unsafe
    -device virtio-blk-pci,drive=card
    -chardev socket,id=agent,path={folder}/agent,server=on,wait=off
    -device virtio-serial-pci -device virtserialport,chardev=agent
    -display none -monitor none -serial file:{folder}/console -no-reboot
    """
    return [*words.split(), "-append", COMMAND_LINE]


def _hardware(board: Board) -> list[str]:
    machine = f"-M virt,gic-version=3 -cpu {board.cpu} -smp {CORES} -m {board.memory} -nic none"
    return [EMULATOR, *machine.split()]


def _device_tree(board: Board, folder: Path) -> Path:
    """The emulator's own with the board's name and code in it."""
    tree = folder / "device-tree"
    dump = [*_hardware(board), "-display", "none", "-machine", f"dumpdtb={tree}"]
    subprocess.run(dump, check=True, capture_output=True)
    subprocess.run(["fdtput", "-t", "s", tree, "/", "model", board.model], check=True)
    code = ["fdtput", "-p", "-t", "x", str(tree), "/system", "linux,revision", board.revision]
    subprocess.run(code, check=True)
    return tree
