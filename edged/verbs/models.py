"""`edged models`: every variant that is here, on its way, bad, or to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edged.verbs.options import add_options, load

if TYPE_CHECKING:
    import argparse

    from rich.table import Table

    from edged.models.inventory import Inventory
    from edged.models.store import Partial, Store, Stored
    from edged.models.variants import Variant

GB = 1e9
State = Literal["here", "changed", "broken", "partial", "quarantined", "absent"]
_COLOURS = {
    "here": "green",
    "changed": "yellow",
    "partial": "cyan",
    "broken": "red",
    "quarantined": "red",
    "absent": "dim",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One variant.

    Attributes:
        variant: Its id.
        family: Its family's.
        file: Name of its file.
        state: Whether its file is here and sound.
        bytes: Of the whole file, if that is known.
        have: Bytes that are here.
        kind: KQ, IQ or other.
        bpw: Bits per weight.
        quality: Percent of the unquantised model's.
        sha256: Of the file that was verified.
        fetched: edged downloaded it, so it may be evicted where that is allowed.
        configured: `model.path` names it, so nothing else is chosen.
        reason: Why it cannot be used.
    """

    variant: str
    family: str
    file: str
    state: State
    bytes: int | None = None
    have: int = 0
    kind: str = "other"
    bpw: float | None = None
    quality: float | None = None
    sha256: str | None = None
    fetched: bool = False
    configured: bool = False
    reason: str | None = None


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = verbs.add_parser("models", help="list model files: on this disk and to be had")
    parser.add_argument("--here", action="store_true", help="only those of which something is here")
    add_options(parser)
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    """List them; returns the exit code."""
    from rich.console import Console  # noqa: PLC0415 - for this verb alone

    from edged.models.inventory import take_inventory  # noqa: PLC0415

    config, store, catalogue = load(args)
    found = rows(store, take_inventory(catalogue, store.directory), config.model.path)
    if args.here:
        found = [row for row in found if row.state != "absent"]
    if args.json:
        view = {"directory": str(store.directory), "models": found}
        print(msgspec.json.encode(view).decode())
    else:
        Console().print(table(str(store.directory), found))
    return 0


def rows(store: Store, inventory: Inventory, configured: str | None) -> list[Row]:
    """A row for each variant of the catalogue and for each file of the disk, in that order.

    Args:
        store: The models directory.
        inventory: The catalogue, with what is on the disk.
        configured: `model.path`.
    """
    partials = {one.file: one for one in store.partials()}
    stored = {one.file: one for one in store.files()}
    variants = [one for family in inventory.catalogue.families for one in family.variants]
    found = [
        _row(store, one, inventory, stored.get(one.file), partials.get(one.file))
        for one in variants
    ]
    known = {one.file for one in variants}
    found += [_unlisted(store, partials[file]) for file in sorted(partials.keys() - known)]
    known |= partials.keys()
    found += [
        Row(variant=file, family="-", file=file, state="broken", reason=reason)
        for file, reason in sorted(inventory.broken.items())
        if file not in known
    ]
    marks = {mark.file: mark for mark in store.quarantined()}
    known |= inventory.broken.keys()
    found += [
        Row(
            variant=mark.variant,
            family="-",
            file=file,
            state="quarantined",
            reason=f"{mark.code}: {mark.reason}",
        )
        for file, mark in sorted(marks.items())
        if file not in known
    ]
    return [_configured(row, store, inventory, configured) for row in found]


def table(directory: str, found: list[Row]) -> Table:
    """The rows for people."""
    from rich.table import Table  # noqa: PLC0415 - see run
    from rich.text import Text  # noqa: PLC0415

    grid = Table(title=f"model files ({directory})", title_justify="left")
    for name, side in (
        ("variant", "left"),
        ("GB", "right"),
        ("bpw", "right"),
        ("quality", "right"),
    ):
        grid.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    grid.add_column("state", overflow="fold")
    for row in found:
        grid.add_row(
            Text(row.variant),
            _number(None if row.bytes is None else row.bytes / GB, 2),
            _number(row.bpw, 2),
            _number(row.quality, 2),
            Text(_said(row), style=_COLOURS[row.state]),
        )
    return grid


def _row(
    store: Store,
    variant: Variant,
    inventory: Inventory,
    stored: Stored | None,
    partial: Partial | None,
) -> Row:
    here = variant.id in inventory.found
    record = stored.record if stored is not None else None
    mark = store.bad(variant)
    state: State = "here" if here else "absent"
    reason = inventory.broken.get(variant.file)
    have = stored.bytes if stored is not None else variant.bytes if here else 0
    if mark is not None:
        state, reason = "quarantined", f"{mark.code}: {mark.reason}"
    elif reason is not None:
        state = "broken"
    elif stored is not None and stored.changed:
        state, reason = "changed", "it is not the file that was verified any more"
    elif partial is not None and not here:
        state, have = "partial", partial.bytes
    return Row(
        variant=variant.id,
        family=variant.family,
        file=variant.file,
        state=state,
        bytes=variant.bytes,
        have=have or 0,
        kind=variant.kind,
        bpw=variant.bpw,
        quality=variant.quality.percent if variant.quality is not None else None,
        sha256=record.sha256 if record is not None else variant.sha256,
        fetched=record is not None and record.fetched,
        reason=reason,
    )


def _unlisted(store: Store, partial: Partial) -> Row:
    """A download that the catalogue does not know: from an address."""
    record = partial.record
    return Row(
        variant=record.variant if record is not None else partial.file,
        family="-",
        file=partial.file,
        state="partial",
        bytes=record.bytes if record is not None else None,
        have=partial.bytes,
        sha256=record.sha256 if record is not None else None,
        reason=None if record is not None else f"{store.path(partial.file)}: it begins anew",
    )


def _configured(row: Row, store: Store, inventory: Inventory, configured: str | None) -> Row:
    found = inventory.found.get(row.variant)
    path = found.path if found is not None else store.path(row.file)
    if configured is None or str(path) != configured:
        return row
    return msgspec.structs.replace(row, configured=True)


def _said(row: Row) -> str:
    words = [str(row.state)]
    if row.state == "partial" and row.bytes:
        words = [f"{100 * row.have / row.bytes:.0f} % here"]
    if row.configured:
        words.append("(model.path)")
    if row.reason is not None:
        words.append(f"- {row.reason}")
    return " ".join(words)


def _number(value: Any, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
