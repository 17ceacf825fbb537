"""What the verbs about model files have in common."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edged.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from edged.models.store import Store
    from edged.models.variants import Catalogue
    from edged.settings import Config

MAX_NAMES = 5  # likenesses that are told


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which files are meant."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration")
    parser.add_argument(
        "--directory", type=Path, metavar="DIR", help="the models directory (default: configured)"
    )
    parser.add_argument(
        "--catalog",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="one more catalogue; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def load(args: argparse.Namespace) -> tuple[Config, Store, Catalogue]:
    """The configuration, the models directory and the catalogue.

    Raises:
        ConfigError: One of the files has a mistake.
        StorageError: One cannot be read.
    """
    from edged.cli import load_config  # noqa: PLC0415 - it imports this file
    from edged.models.inventory import owners_catalogue  # noqa: PLC0415 - for these verbs alone
    from edged.models.store import Store  # noqa: PLC0415
    from edged.places import models_directory  # noqa: PLC0415

    config = load_config(args.config)
    directory = args.directory or models_directory(config)
    return config, Store(directory), owners_catalogue(config.model, args.catalog)


def unknown(name: str, known: Any) -> ConfigError:
    """The mistake of naming a variant that there is not, with what was perhaps meant."""
    names = sorted(known)
    close = [one for one in names if name and name.lower() in one.lower()][:MAX_NAMES]
    close = close or difflib.get_close_matches(name[:200], names, n=MAX_NAMES, cutoff=0.5)
    advice = f"; did you mean {' or '.join(close)}?" if close else "; see `edged models`"
    return ConfigError([f"no variant is called {name[:200]!a}{advice}"])
