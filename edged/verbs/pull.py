"""`edged pull`: has a model file now, with a bar."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from edged.verbs.options import add_options, load, unknown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from edged.models.attempts import World
    from edged.models.progress import Event, Fetched, FetchFailed
    from edged.models.variants import Catalogue, Variant

TRIES = 5  # with waits of 2 to 80 s between them: a router has restarted by then


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = verbs.add_parser("pull", help="download a model file; goes on where it was stopped")
    parser.add_argument(
        "variant", metavar="VARIANT|URL", help="of the catalogue, or an address of a .gguf file"
    )
    parser.add_argument(
        "--tries", type=int, default=TRIES, metavar="N", help="failures in a row before it ends"
    )
    add_options(parser)
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    """Download it; returns the exit code."""
    from edged.models.attempts import World, fetch  # noqa: PLC0415 - httpx takes 0.3 s
    from edged.models.progress import Fetched, as_json  # noqa: PLC0415
    from edged.password import read_token  # noqa: PLC0415

    config, store, catalogue = load(args)
    download = config.model.download
    variant = named(args.variant, catalogue)
    world = World(
        store=store,
        config=download,
        token=read_token(download.token_file),
        most_failures=max(1, args.tries),
    )
    try:
        if args.json:
            end = asyncio.run(
                fetch(world, variant, (), lambda event: print(as_json(event).decode(), flush=True))
            )
        else:
            end = _with_bar(world, variant)
    except KeyboardInterrupt:
        print(f"edged: stopped; `edged pull {args.variant}` goes on there", file=sys.stderr)
        return 1
    return 0 if isinstance(end, Fetched) else 1


def named(name: str, catalogue: Catalogue) -> Variant:
    """The variant of that id, file name or address.

    Raises:
        ConfigError: There is none.
        FetchError: The address is none of a GGUF file.
    """
    from edged.models.address import variant_at  # noqa: PLC0415 - see run

    if "://" in name:
        return variant_at(name)
    variant = catalogue.variant(name)
    if variant is None:
        known = (one.id for family in catalogue.families for one in family.variants)
        raise unknown(name, known)
    return variant


def _with_bar(world: World, variant: Variant) -> Fetched | FetchFailed:
    from rich import progress  # noqa: PLC0415 - see run

    from edged.models.attempts import fetch  # noqa: PLC0415

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns) as bars:
        task = bars.add_task(variant.id, total=None)
        return asyncio.run(fetch(world, variant, (), shower(bars, task)))


def shower(bars: Bars, task: TaskID) -> Callable[[Event], None]:
    """What moves the bar, and writes a line above it for everything else."""
    from edged.models import progress as told  # noqa: PLC0415 - see run

    def show(event: Event) -> None:
        if isinstance(event, told.Progress):
            word = "" if event.state == "downloading" else f" ({event.state})"
            bars.update(
                task,
                completed=event.done,
                total=event.total,
                description=f"{event.variant}{word}",
            )
        else:
            bars.console.print(sentence(event), markup=False, highlight=False, soft_wrap=True)

    return show


def sentence(event: Event) -> str:
    """An event that is no progress, for people."""
    from edged.client.render import duration  # noqa: PLC0415 - see run
    from edged.models import progress as told  # noqa: PLC0415

    if isinstance(event, told.Fetched):
        had = f", {event.resumed} of them were here" if event.resumed else ""
        return f"{event.path}\n  {event.bytes} bytes{had}; sha256 {event.sha256}, verified"
    if isinstance(event, told.Pinned):
        who = event.source or "nobody: the first copy is believed"
        return f"sha256 pinned from now on: {event.sha256} (told by {who})"
    if isinstance(event, told.Evicted):
        return f"removed for room: {event.file} ({event.bytes} bytes)"
    if isinstance(event, told.FetchFailed):
        again = event.retry_in
        then = "given up" if again is None else f"again in {duration(again)}"
        return f"{event.code}: {event.reason}; {then}"
    return ""
