"""`edged calibrate`: how fast this board computes each type of weights."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from edged.models.calibration import Calibration
    from edged.models.facts import DeviceFacts

GB = 1e9


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = verbs.add_parser(
        "calibrate", help="time made-up models, so that speeds of files can be predicted"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="instead of the configured")
    parser.add_argument("--again", action="store_true", help="also if it was done on this board")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate, or show what was found before; returns the exit code."""
    from edged.cli import load_config  # noqa: PLC0415 - other verbs need none of this
    from edged.daemon import state_dir  # noqa: PLC0415
    from edged.engine.build import build_id  # noqa: PLC0415
    from edged.models.calibration import encode  # noqa: PLC0415
    from edged.models.calibrationfile import load_calibration, save_calibration  # noqa: PLC0415
    from edged.models.device import Roots, probe  # noqa: PLC0415

    folder = args.state_dir or state_dir(load_config(args.config).serving.state_dir)
    facts = probe(Roots())
    board = facts.fingerprint(build_id(os.environ) or "unknown")
    found = None if args.again else load_calibration(folder, board)
    if found is None:
        found = asyncio.run(_calibrate(facts, board, folder, quiet=args.json))
        save_calibration(folder, found)
    if args.json:
        print(encode(found).decode())
    else:
        show(found)
    return 0


async def _calibrate(facts: DeviceFacts, board: str, folder: Path, *, quiet: bool) -> Calibration:
    from rich.console import Console  # noqa: PLC0415 - see run
    from rich.progress import Progress  # noqa: PLC0415

    from edged.clock import SystemClock  # noqa: PLC0415
    from edged.daemon.calibrate import calibrate, plan_for  # noqa: PLC0415

    with Progress(console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("calibrating", total=1)

        def tell(done: int, total: int, name: str) -> None:
            progress.update(task, completed=done, total=total, description=name)

        return await calibrate(
            facts, board, folder, SystemClock(), planned=plan_for(facts, Path("/sys")), tell=tell
        )


def show(found: Calibration, console: Console | None = None) -> None:
    """Print it as a table: GB/s of weights for each type."""
    from rich.console import Console  # noqa: PLC0415 - see run
    from rich.table import Table  # noqa: PLC0415

    title = f"board {found.board}, took {found.seconds:.0f} s, scatter {found.spread:.1%}"
    table = Table(title=title, title_justify="left")
    table.add_column("type")
    table.add_column("use")
    table.add_column("repacked")
    for name in ("threads", "decode GB/s", "prefill GB/s"):
        table.add_column(name, justify="right")
    for rate in found.rates:
        speeds = (1 / rate.byte.decode / GB, 1 / rate.byte.prefill / GB)
        told = "yes" if rate.repacked else "no"
        shown = [f"{speed:.1f}" for speed in speeds]
        table.add_row(rate.kind, rate.use, told, str(rate.threads), *shown)
    (console or Console()).print(table)
