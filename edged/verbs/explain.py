"""`edged explain`: which variant is chosen on a board, and why not another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from edged.models.candidates import Choice
    from edged.models.explain import Row
    from edged.models.facts import DeviceFacts
    from edged.models.survey import Survey
    from edged.settings import Config

WIDE = 100  # columns of a terminal from which each number has one of its own
SERVICE_STATE = Path("/var/lib/edged")  # what systemd's StateDirectory=edged makes
GIB = 1 << 30
_STYLES = {"chosen": "bold green", "quality": "", "order": "", "quarantined": "red"}


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = verbs.add_parser("explain", help="tell which model is chosen here, and why")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--device", type=Path, metavar="TREE", help="a recorded board: its files")
    parser.add_argument(
        "--published", action="store_true", help="go by published figures, not by what is measured"
    )
    parser.add_argument("--target", type=float, metavar="TPS", help="tok/s instead of the target")
    parser.add_argument("--memory", type=int, metavar="MIB", help="cap instead of the configured")
    parser.add_argument("--context", type=int, metavar="N", help="tokens instead of the configured")
    parser.add_argument(
        "--catalog", type=Path, metavar="FILE", action="append", help="one more file, at the end"
    )
    parser.add_argument(
        "--headers", action="store_true", help="ask hubs for headers of files that are not here"
    )
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="instead of the configured")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    """Choose and explain; returns 0 if a variant can serve, else 1."""
    from edged.models.explain import selection  # noqa: PLC0415 - other verbs need none of this

    found = explained(args)
    if args.json:
        view = {"device": found.facts, **selection(found.choice)}
        print(msgspec.json.encode(view).decode())
    else:
        show(found)
    return 0 if found.choice.chosen is not None else 1


def explained(args: argparse.Namespace) -> Survey:
    """What the options ask for.

    Raises:
        ConfigError: The configuration, the catalogue, an option or the tree is wrong.
        StorageError: A file cannot be read.
    """
    from edged.cli import load_config  # noqa: PLC0415 - see run
    from edged.doctor.engines import held_by_engines  # noqa: PLC0415
    from edged.engine.build import build_id  # noqa: PLC0415
    from edged.errors import ConfigError  # noqa: PLC0415
    from edged.models.device import Roots, probe  # noqa: PLC0415
    from edged.models.headershelf import Shelf  # noqa: PLC0415
    from edged.models.inventory import owners_catalogue, read_catalogue  # noqa: PLC0415
    from edged.models.known import Figures, load_figures  # noqa: PLC0415
    from edged.models.survey import models_directory, survey  # noqa: PLC0415
    from edged.verbs.headers import scout_of, with_headers  # noqa: PLC0415

    config = _changed(load_config(args.config), args)
    extra = args.catalog or []
    if args.device is not None:
        if args.headers:
            raise ConfigError(["command line: --headers is for this machine, and not for --device"])
        catalogue = read_catalogue(None, extra)
        return survey(config, _recorded(args.device), catalogue, None, Figures())
    state = args.state_dir or state_dir(config)
    folder = models_directory(config, state)
    facts = probe(Roots(models=folder))
    board = facts.fingerprint(build_id(os.environ) or "unknown")
    figures = Figures() if args.published else load_figures(state, board)
    catalogue = owners_catalogue(config.model, extra)

    # What serves now would go before another is loaded: it is judged as the daemon does.
    held = held_by_engines()

    def choose() -> Survey:
        headers = Shelf(state).of(catalogue)
        return survey(config, facts, catalogue, folder, figures, headers=headers, held=held)

    return with_headers(scout_of(config, folder, state), choose) if args.headers else choose()


def _recorded(tree: Path) -> DeviceFacts:
    from edged.errors import ConfigError  # noqa: PLC0415 - see run
    from edged.models.device import probe, recorded  # noqa: PLC0415

    facts = probe(recorded(tree))
    if not facts.ram_bytes:
        raise ConfigError([f"{tree}: holds no proc/meminfo of a board"])
    return facts


def _changed(config: Config, args: argparse.Namespace) -> Config:
    """The configuration with the options in place of keys, checked like those."""
    from edged.errors import ConfigError  # noqa: PLC0415 - see run

    engine = {} if args.target is None else {"target_tps": args.target}
    model = {"memory_mib": args.memory, "context": args.context}
    model = {key: value for key, value in model.items() if value is not None}
    plain = msgspec.to_builtins(config)
    plain["engine"] |= engine
    plain["model"] |= model
    try:
        return msgspec.convert(plain, type(config))
    except msgspec.ValidationError as error:
        raise ConfigError([f"command line: {error}"]) from error


def state_dir(config: Config) -> Path:
    """Where the daemon keeps its state; not made, for this verb writes nothing."""
    named = config.serving.state_dir or os.environ.get("STATE_DIRECTORY")
    if named:
        return Path(named)
    return SERVICE_STATE if SERVICE_STATE.is_dir() else Path("~/.local/state/edged").expanduser()


def show(found: Survey, console: Console | None = None) -> None:
    """Print the board, the choice and every candidate."""
    from rich.console import Console  # noqa: PLC0415 - see run
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from edged.models.explain import rows, sentences  # noqa: PLC0415

    out = console or Console()
    out.print(Text(_board(found.facts, found.choice)))
    for sentence in sentences(found.choice):
        out.print(Text(sentence, style="" if found.choice.chosen else "red"))
    wide = out.width >= WIDE
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("variant", overflow="fold")
    if wide:
        table.add_column("needs", justify="right", no_wrap=True)
        table.add_column("tok/s", no_wrap=True)
        table.add_column("quality", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    family = ""
    for row in rows(found.choice):
        if row.family != family:
            family = row.family
            table.add_section()
            heading = Text(family, style="bold")
            table.add_row(heading, *([""] * (4 if wide else 1)))
        table.add_row(*_cells(row, wide=wide), style=_STYLES.get(row.rule, "dim"))
    out.print(table)
    for name, reason in found.inventory.broken.items():
        out.print(Text(f"{name} cannot be used: {reason}", style="red"))


def _cells(row: Row, *, wide: bool) -> list[str]:
    name = f"{row.name} *" if row.here else row.name
    if wide:
        return [name, row.need, row.speed, row.quality, row.reason]
    return [name, f"{row.rule}: {row.reason}"]


def _board(facts: DeviceFacts, choice: Choice) -> str:
    ram = f"{facts.ram_bytes / GIB:.1f} GiB"
    name = facts.board or facts.cpu or facts.architecture
    return f"{name}, {facts.cores} cores, {ram}: {choice.target:g} tok/s wanted (* on this disk)"
