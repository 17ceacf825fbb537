"""`edged bench`: how fast a model file decodes and reads on this board, and with which settings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from edged.models.figures import KINDS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

    from edged.daemon.bench import Bench
    from edged.models.figures import Measurement
    from edged.verbs.benchjob import Job

BUSY = 0.5  # of the cores; above it others computed before, and perhaps go on


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = verbs.add_parser(
        "bench",
        help="measure a model file on this board and keep the result",
        description="Measures in a process of its own: stop the daemon before, or both are slow.",
    )
    parser.add_argument(
        "variant", nargs="?", metavar="VARIANT|FILE", help="default: the configured model"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="instead of the configured")
    parser.add_argument("--context", type=int, metavar="N", help="tokens; default: as depths need")
    parser.add_argument("--threads", type=int, metavar="N", help="the most to try; default: cores")
    parser.add_argument("--repack", choices=("both", "on", "off"), default="both")
    parser.add_argument(
        "--kv-type",
        choices=("all", "both", *KINDS),
        help="f16-nofa: without flash attention. Default: as configured; of auto, f16 if it fits",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and depths")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    """Measure, keep, show; returns the exit code.

    Raises:
        ConfigError: The configuration, an option or the name is wrong.
        ModelError: The file is not here, is no model, or has no room in memory.
        EngineError: The child died or cannot measure.
        StorageError: The result cannot be kept.
    """
    from edged.cli import load_config  # noqa: PLC0415 - other verbs need none of this
    from edged.models.figurestore import save_measured  # noqa: PLC0415
    from edged.verbs.benchjob import prepared, state_dir  # noqa: PLC0415

    config = load_config(args.config)
    state = args.state_dir or state_dir(config)
    job = prepared(args, config, state)
    found = asyncio.run(measure(args, job))
    save_measured(state, found)
    if args.report is not None:
        _write_report(args.report, job, found, state)
    if args.json:
        _print_json(job, found)
    else:
        show(job, found)
    return 0


async def measure(args: argparse.Namespace, job: Job) -> Measurement:
    """Do it, with a bar on stderr."""
    from rich.console import Console  # noqa: PLC0415 - see run
    from rich.progress import Progress, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    if job.load > BUSY * job.facts.cores:
        console.print(
            f"others compute on this board (load {job.load:.1f}): expect lower figures",
            style="yellow",
        )
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=args.json) as progress:
        task = progress.add_task("measuring", total=1.0)

        def tell(doing: str, share: float) -> None:
            progress.update(task, description=doing, completed=share)

        return await _bench(args, job, tell).run()


def _bench(args: argparse.Namespace, job: Job, tell: Callable[[str, float], None]) -> Bench:
    from edged.clock import SystemClock  # noqa: PLC0415 - see run
    from edged.daemon.bench import Bench  # noqa: PLC0415
    from edged.daemon.sensing import sense  # noqa: PLC0415
    from edged.engine.life import Timeouts  # noqa: PLC0415
    from edged.engine.supervisor import WORKER, Settings  # noqa: PLC0415

    engine = job.config.engine
    timeouts = Timeouts(load_s=engine.load_timeout_s, stall_s=engine.stall_timeout_s)
    return Bench(
        job.model.load,
        digest=job.model.fingerprint.digest,
        board=job.board,
        clock=SystemClock(),
        cores=args.threads or job.facts.cores,
        settings=job.settings,
        plan=job.plan,
        build=job.build,
        sense=lambda: sense(Path("/")),
        tell=tell,
        engine=Settings(argv=engine.command or WORKER, timeouts=timeouts),
    )


def show(job: Job, found: Measurement, console: Console | None = None) -> None:
    """Print the figures, what was compared, and what they hold for."""
    from rich.console import Console  # noqa: PLC0415 - see run
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    out = console or Console()
    table = Table(title=job.model.view.name, title_justify="left")
    table.add_column("test")
    table.add_column("tok/s", justify="right")
    table.add_row(f"tg{job.plan.tg}", f"{found.tps:.2f} +- {found.error:.2f}")
    for depth in found.depths[1:]:
        table.add_row(f"tg{job.plan.depth_tg} at {depth.tokens}", f"{depth.tps:.2f}")
    table.add_row(f"pp{job.plan.pp}", f"{found.pp:.2f} +- {found.pp_error:.2f}")
    out.print(table)
    compared = Table(title="compared, tok/s", title_justify="left")
    for name in ("repack", "cache", "test"):
        compared.add_column(name)
    compared.add_column("threads", justify="right")
    compared.add_column("tok/s", justify="right")
    for row in found.tries:
        repack = "on" if row.repack else "off"
        test = f"{row.kind} at {row.depth}" if row.depth else row.kind
        compared.add_row(repack, row.kv_type, test, str(row.threads), f"{row.tps:.2f}")
    out.print(compared)
    for name, value in _conditions(job, found):
        out.print(Text(f"{name}: {value}"))


def _print_json(job: Job, found: Measurement) -> None:
    import msgspec  # noqa: PLC0415 - see run

    view = {
        "variant": job.model.view.name,
        "file": str(job.model.path),
        "target_tps": job.config.engine.target_tps,
        "measurement": found,
        "conditions": dict(_conditions(job, found)),
    }
    print(msgspec.json.encode(view).decode())


def _write_report(path: Path, job: Job, found: Measurement, state: Path) -> None:
    from edged.client.benchpage import Page, render  # noqa: PLC0415 - see run
    from edged.client.benchrows import board_words, own_row, rows_of  # noqa: PLC0415
    from edged.files import write_atomic  # noqa: PLC0415
    from edged.models.explain import sentences  # noqa: PLC0415
    from edged.models.inventory import owners_catalogue  # noqa: PLC0415
    from edged.models.known import load_figures  # noqa: PLC0415
    from edged.models.survey import models_directory, survey  # noqa: PLC0415

    folder = models_directory(job.config, state)
    figures = load_figures(state, job.board)
    catalogue = owners_catalogue(job.config.model)
    choice = survey(job.config, job.facts, catalogue, folder, figures).choice
    rows = rows_of(choice)
    name = job.model.view.name
    if not any(row.name == name for row in rows):
        rows = (own_row(name, job.header.geometry.name or name, found), *rows)
    page = Page(
        name=name,
        board=board_words(job.facts),
        target=job.config.engine.target_tps,
        measurement=found,
        budget=choice.budget.have,
        rows=rows,
        conditions=_conditions(job, found),
        summary=" ".join(sentences(choice)),
    )
    write_atomic(path, render(page).encode(), mode=0o644)


def _conditions(job: Job, found: Measurement) -> tuple[tuple[str, str], ...]:
    from datetime import UTC, datetime  # noqa: PLC0415 - see run

    from edged.client.benchrows import conditions  # noqa: PLC0415

    when = datetime.fromtimestamp(found.wall, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return conditions(found, job.plan, job.header, job.facts, load=job.load, when=when)
