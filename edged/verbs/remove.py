"""`edged rm`: removes a model file and all that was written beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edged.errors import StorageError
from edged.verbs.options import add_options, load, unknown

if TYPE_CHECKING:
    import argparse

MIB = 1 << 20


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = verbs.add_parser("rm", help="remove a model file, its part, and what is known of it")
    parser.add_argument("variant", metavar="VARIANT", help="an id or the name of a file")
    add_options(parser)
    parser.set_defaults(verb=run)


def run(args: argparse.Namespace) -> int:
    """Remove it; returns the exit code.

    A daemon that serves the file keeps what it has mapped, and chooses anew when it starts.
    """
    from edged.models.records import ENDING, safe_name  # noqa: PLC0415 - for this verb alone

    _, store, catalogue = load(args)
    listed = catalogue.variant(args.variant)
    name = listed.file if listed is not None else args.variant.removesuffix(ENDING) + ENDING
    file = safe_name(name)
    here = {one.file for one in store.files()} | {one.file for one in store.partials()}
    here |= {one.file for one in store.quarantined()}
    if file is None or (file not in here and store.record(file) is None):
        if listed is not None:
            message = f"{listed.file} is not in {store.directory}"
            raise StorageError(message)
        raise unknown(args.variant, {one.removesuffix(ENDING) for one in here})
    freed = store.remove(file)
    if args.json:
        print(msgspec.json.encode({"file": file, "freed": freed}).decode())
    else:
        print(f"{file} is removed, {freed / MIB:.1f} MiB are free again")
    return 0
