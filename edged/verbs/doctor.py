"""`edged doctor`: what is wrong with this board, its house and its models, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from edged.config import Loaded
    from edged.doctor.finding import Finding
    from edged.doctor.place import Place

CONFIG = "etc/edged/edged.yaml"  # of a recorded board
STYLES = {"ok": "green", "skipped": "dim", "advice": "cyan", "warning": "yellow", "error": "red"}


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = verbs.add_parser(
        "doctor",
        help="look for what is wrong with board, supply, heat, disk, broker, models; advise",
        description="Looks at everything once and writes nothing. Exit code 1 if anything is "
        "worse than advice.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--root", type=Path, metavar="TREE", help="judge a recorded board")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="instead of the configured")
    parser.add_argument("--all", action="store_true", help="show also what could not be looked at")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    """Look, judge, tell; returns the exit code.

    Raises:
        ConfigError: The configuration, a catalogue or the tree is wrong.
        StorageError: A file cannot be read.
    """
    from edged.clock import SystemClock  # noqa: PLC0415 - other verbs need none of this
    from edged.doctor.examine import examine  # noqa: PLC0415
    from edged.doctor.finding import exit_code  # noqa: PLC0415
    from edged.doctor.gather import gather  # noqa: PLC0415

    findings = examine(gather(_place(args), SystemClock()))
    if args.json:
        _print_json(findings)
    else:
        show(findings, everything=args.all)
    return exit_code(findings)


def _place(args: argparse.Namespace) -> Place:
    from msgspec.structs import replace  # noqa: PLC0415 - see run

    from edged.cli import read_config  # noqa: PLC0415 - it imports this file
    from edged.config import Loaded  # noqa: PLC0415
    from edged.doctor.place import Place, recorded_place  # noqa: PLC0415
    from edged.errors import ConfigError  # noqa: PLC0415
    from edged.settings import Config  # noqa: PLC0415
    from edged.verbs.explain import state_dir  # noqa: PLC0415

    if args.root is None:
        read = read_config(args.config)
        state = args.state_dir or state_dir(read.config)
        return Place(root=Path("/"), live=True, config=read.config, state=state, notes=_said(read))
    if not (args.root / "proc").is_dir():
        raise ConfigError([f"{args.root}: holds no proc of a board"])
    own = args.config or args.root / CONFIG
    read = read_config(own) if args.config or own.exists() else Loaded(Config())
    place = recorded_place(args.root, read.config, _said(read))
    return place if args.state_dir is None else replace(place, state=args.state_dir)


def _said(read: Loaded) -> tuple[str, ...]:
    return tuple(str(note) for note in read.notes)


def show(findings: Sequence[Finding], console: Console | None = None, *, everything: bool) -> None:
    """Print the findings, the gravest last, where a terminal leaves them in sight."""
    from rich.console import Console  # noqa: PLC0415 - see run
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from edged.doctor.finding import SEVERITIES  # noqa: PLC0415

    out = console or Console()
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("found", overflow="fold")
    table.add_column("shown by", overflow="fold")
    skipped = [each for each in findings if each.severity == "skipped"]
    for each in sorted(findings, key=lambda each: SEVERITIES.index(each.severity)):
        if each.severity == "skipped" and not everything:
            continue
        text = Text(each.text)
        if each.advice:
            text.append(f"\n{each.advice}", style="dim")
        table.add_row(Text(each.severity, style=STYLES[each.severity]), text, Text(each.evidence))
    out.print(table)
    if skipped and not everything:
        out.print(Text(f"{len(skipped)} not looked at; --all tells why", style="dim"))


def _print_json(findings: Sequence[Finding]) -> None:
    import msgspec  # noqa: PLC0415 - see run

    from edged.doctor.finding import worst  # noqa: PLC0415

    print(msgspec.json.encode({"worst": worst(findings), "findings": findings}).decode())
