"""What `edged bench` is asked to measure: which file, loaded how, with how much room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from edged.daemon.model import POCKET, open_model
from edged.engine.build import build_id
from edged.errors import ConfigError, ModelError
from edged.models.cachetype import kinds
from edged.models.device import Roots, probe
from edged.models.figures import KINDS, NO_FLASH
from edged.models.fit import GIB, keeping, need
from edged.models.inventory import owners_catalogue, take_inventory
from edged.models.local import check_file
from edged.models.survey import budget_of, models_directory, setup_of
from edged.models.tuning import FULL, QUICK, Setting
from edged.places import models_directory as placed
from edged.verbs.options import unknown

if TYPE_CHECKING:
    import argparse

    from edged.daemon.model import Model
    from edged.models.facts import DeviceFacts
    from edged.models.figures import KvType
    from edged.models.gguf import Header
    from edged.models.tuning import Plan
    from edged.settings import Config, EngineConfig

TAIL = 64  # tokens of context besides the deepest depth and what is decoded there


class Job(NamedTuple):
    """What is measured.

    Attributes:
        config: Of the owner.
        model: The file, checked.
        header: Of the file.
        facts: Of the board.
        build: Which engine computes.
        settings: Loads to compare; each fits into memory.
        plan: How long.
        load: Mean number of others that wanted to compute in the minute before.
    """

    config: Config
    model: Model
    header: Header
    facts: DeviceFacts
    build: str
    settings: tuple[Setting, ...]
    plan: Plan
    load: float

    @property
    def board(self) -> str:
        """Fingerprint of board and engine."""
        return self.facts.fingerprint(self.build)


def prepared(args: argparse.Namespace, config: Config, state: Path) -> Job:
    """All that is known before anything is loaded.

    Raises:
        ConfigError: An option or the name is wrong.
        ModelError: The file is not here, is no model, or has no room in memory.
    """
    path, name = find(args.variant, config, state)
    header = check_file(path)
    facts = probe(Roots(models=path.parent))
    plan = QUICK if args.quick else FULL
    changed = _with_context(config, args, plan)
    settings = _first(fitting(changed, header, facts, _settings(args, config)), args)
    return Job(
        config=config,
        model=open_model(changed, path, name),
        header=header,
        facts=facts,
        build=build_id(os.environ) or "unknown",
        settings=settings,
        plan=plan,
        load=os.getloadavg()[0],
    )


def find(name: str | None, config: Config, state: Path) -> tuple[Path, str | None]:
    """The file that a name means, and what the catalogue calls it.

    Args:
        name: Of a variant or a path; None is the configured file.
        config: Where models are.
        state: The state directory.

    Raises:
        ConfigError: Nothing is called that.
        ModelError: It is in the catalogue and not on this disk.
    """
    if name is None:
        configured = config.model.path
        return (POCKET if configured is None else Path(configured)), config.model.name
    if os.sep in name or Path(name).is_file():
        return Path(name), None
    folder = models_directory(config, state)
    inventory = take_inventory(owners_catalogue(config.model), folder)
    variant = inventory.catalogue.variant(name)
    if variant is None:
        names = (each.id for one in inventory.catalogue.families for each in one.variants)
        raise unknown(name, names)
    if variant.id not in inventory.found:
        message = f"{variant.file} is not in {folder}; fetch it with: edged pull {variant.id}"
        raise ModelError(message)
    return inventory.found[variant.id].path, variant.id


def fitting(
    config: Config, header: Header, facts: DeviceFacts, wanted: tuple[Setting, ...]
) -> tuple[Setting, ...]:
    """Those loads for which there is memory.

    Raises:
        ModelError: There is for none; with the numbers.
    """
    have = budget_of(config.model, facts).have
    plain = setup_of(config.engine, config.model.context, facts)
    needs = {
        setting: need(
            header,
            keeping(
                replace(plain, streams=1, prefix_tokens=0, repack=setting.repack), setting.kv_type
            ),
        ).total
        for setting in wanted
    }
    kept = tuple(setting for setting in wanted if needs[setting] <= have)
    if not kept:
        least = min(needs.values())
        message = (
            f"the file needs {least / GIB:.2f} GiB of memory with a context of "
            f"{config.model.context} tokens, and there are {have / GIB:.2f} GiB"
        )
        raise ModelError(message)
    return kept


def _settings(args: argparse.Namespace, config: Config) -> tuple[Setting, ...]:
    """The loads to compare, what is configured last: the likeliest saves a load."""
    mine = config.engine.repack != "off"
    repacks = {"both": (not mine, mine), "on": (True,), "off": (False,)}[args.repack]
    types = _types(args.kv_type, config.engine)[::-1]
    return tuple(Setting(repack, kind) for kind in types for repack in repacks)


def _types(
    asked: KvType | Literal["all", "both"] | None, engine: EngineConfig
) -> tuple[KvType, ...]:
    if asked is None:
        return kinds(engine.kv_type, engine.flash_attention)
    if asked in {"all", "both"}:
        return tuple(kind for kind in KINDS if asked == "all" or kind != NO_FLASH)
    return (cast("KvType", asked),)


def _first(settings: tuple[Setting, ...], args: argparse.Namespace) -> tuple[Setting, ...]:
    """Those that the daemon loads at first, unless others were asked for: f16 if it has room."""
    plain = tuple(setting for setting in settings if setting.kv_type == "f16")
    return settings if args.kv_type else plain or settings


def _with_context(config: Config, args: argparse.Namespace, plan: Plan) -> Config:
    """As many tokens as the deepest measurement takes, unless the owner says otherwise."""
    deepest = max((*plan.depths, 0)) + max(plan.tg, plan.depth_tg) + TAIL
    plain = msgspec.to_builtins(config)
    plain["model"]["context"] = args.context or max(deepest, plan.pp)
    # One step reads all of pp512, as llama-bench does.
    plain["engine"]["prefill_chunk"] = max(plan.pp, config.engine.prefill_chunk)
    try:
        if args.threads is not None:
            msgspec.convert({"threads": args.threads or -1}, type(config.engine))
        return msgspec.convert(plain, type(config))
    except msgspec.ValidationError as error:
        raise ConfigError([f"command line: {error}"]) from error


def state_dir(config: Config) -> Path:
    """Where the daemon keeps its state, so that it finds what is measured here."""
    unplaced = replace(config, model=replace(config.model, directory=None))
    return placed(unplaced).parent
