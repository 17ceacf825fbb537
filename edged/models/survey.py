"""From this machine, or a recorded one, to a choice: all that is to be read is read here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from edged.errors import ModelError
from edged.models import cachetype, fit
from edged.models.candidates import Choice  # noqa: TC001 - msgspec resolves it
from edged.models.choose import choose, selectable
from edged.models.facts import DeviceFacts  # noqa: TC001 - as above
from edged.models.fingerprint import fingerprint
from edged.models.gather import Seen, gather
from edged.models.inventory import Inventory, take_inventory
from edged.models.known import Figures  # noqa: TC001 - msgspec resolves it
from edged.models.needs import need_of
from edged.models.reasons import Terms
from edged.models.speeds import board_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from edged.models.figures import KvType
    from edged.models.gguf import Header
    from edged.models.inventory import Found
    from edged.models.variants import Catalogue
    from edged.settings import Config, EngineConfig, ModelConfig

MIB = 1 << 20
NO_REASONS: Mapping[str, str] = MappingProxyType({})
NO_HEADERS: Mapping[str, Header] = MappingProxyType({})
NO_PAIRS: frozenset[tuple[str, KvType]] = frozenset()


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a choice was made from, and the choice.

    Attributes:
        facts: Of the board.
        inventory: Of the catalogue and this disk.
        figures: Of this board with this engine.
        seen: What is known of each variant, by id.
        selectable: Ids of the variants that an owner may name.
        choice: What came of it.
    """

    facts: DeviceFacts
    inventory: Inventory
    figures: Figures
    seen: dict[str, Seen]
    selectable: tuple[str, ...]
    choice: Choice


def models_directory(config: Config, state_dir: Path) -> Path:
    """Where model files are kept.

    Args:
        config: It may name a folder.
        state_dir: The daemon's, which has one otherwise.
    """
    configured = config.model.directory
    return state_dir / "models" if configured is None else state_dir / configured


def setup_of(engine: EngineConfig, context: int, facts: DeviceFacts) -> fit.Setup:
    """How a model would be loaded on a board.

    Args:
        engine: The configured settings; streams that are not named count as one, and a type of
            cache that is left open is f16.
        context: Tokens of prompt and answer together.
        facts: Of the board.
    """
    threads = engine.threads or min(fit.MAX_THREADS, facts.cores)
    first, *_ = cachetype.kinds(engine.kv_type, engine.flash_attention)
    setup = fit.Setup(
        context=context,
        streams=max(1, engine.streams),
        prefix_tokens=fit.MAX_PREFIX_TOKENS,
        prefill_chunk=engine.prefill_chunk,
        threads=max(threads, engine.threads_batch),
        repack=engine.repack != "off",
        features=facts.cpu_features,
    )
    return fit.keeping(setup, first)


def digest_of(path: Path, data_offset: int) -> str:
    """Identifies what a file holds; see `edged.models.fingerprint`."""
    return fingerprint(path, data_offset).digest


def survey(  # noqa: PLR0913 - each is a thing that differs between the daemon and a replay
    config: Config,
    facts: DeviceFacts,
    catalogue: Catalogue,
    folder: Path | None,
    figures: Figures,
    *,
    held: int = 0,
    quarantined: Mapping[str, str] = NO_REASONS,
    headers: Mapping[str, Header] = NO_HEADERS,
    pinned: str | None = None,
    no_room: Collection[tuple[str, KvType]] = NO_PAIRS,
    digest_of: Callable[[Path, int], str] = digest_of,
) -> Survey:
    """Read what is on the disk, reckon, and choose.

    Args:
        config: For the order of families, the target, limits of memory, and the engine's settings.
        facts: Of the board, now.
        catalogue: As `inventory.read_catalogue` gives it.
        folder: The models directory; None for a board whose disk is not here.
        figures: Of this board with this engine.
        held: Bytes that our child has now and would give back.
        quarantined: Reasons, by the variants' ids. A file that is broken is merely not here:
            fetching it again heals it.
        headers: Of files that are not here, by the variants' ids.
        pinned: The one variant to judge, whatever its rate; None judges all.
        no_room: Ids of variants, each with a way of keeping keys and values not to be taken.
        digest_of: Identifies a file, see `digest_of`; who looks again and again remembers some.
    """
    ordered = catalogue.ordered(config.model.families)
    inventory = take_inventory(ordered, folder)
    setup = setup_of(config.engine, config.model.context, facts)
    seen = {
        name: _seen(inventory.found.get(name), headers.get(name), figures, digest_of)
        for name in {*inventory.found, *headers}
    }
    for name, reason in quarantined.items():
        seen[name] = msgspec.structs.replace(seen.get(name, Seen()), quarantined=reason)
    budget = budget_of(config.model, facts, held)
    candidates = gather(
        inventory.catalogue,
        setup,
        seen,
        config.engine.prefix_cache_mib,
        left=open_types(config.engine, budget, no_room),
        calibration=figures.calibration,
    )
    judged = tuple(each for each in candidates if pinned in {None, each.variant.id})
    terms = Terms(
        budget=budget,
        target=config.engine.target_tps if pinned is None else 0.0,
        board=board_kind(facts),
        context=config.model.context,
        free_bytes=facts.free_bytes,
    )
    return Survey(
        facts=facts,
        inventory=inventory,
        figures=figures,
        seen=seen,
        selectable=selectable(candidates, terms),
        choice=choose(judged, terms),
    )


def open_types(
    engine: EngineConfig,
    budget: fit.Budget,
    no_room: Collection[tuple[str, KvType]] = NO_PAIRS,
) -> cachetype.Open:
    """What a configuration and a board leave open of how keys and values are kept."""
    kinds = cachetype.kinds(engine.kv_type, engine.flash_attention)
    return cachetype.Open(kinds=kinds, have=budget.have, no_room=no_room)


def cache_of(
    config: Config, header: Header, facts: DeviceFacts, budget: fit.Budget
) -> cachetype.CacheType:
    """How keys and values of a file that the owner named are kept, of which no speed is known."""
    left = open_types(config.engine, budget).of(header.geometry)
    return cachetype.settle("", left, lambda kind: need_with(config, header, facts, kind))


def need_with(config: Config, header: Header, facts: DeviceFacts, kind: KvType) -> int:
    """Bytes of memory that a file takes, its keys and values so kept."""
    setup = setup_of(config.engine, config.model.context, facts)
    return need_of(header, fit.keeping(setup, kind), config.engine.prefix_cache_mib).total


def budget_of(model: ModelConfig, facts: DeviceFacts, held: int = 0) -> fit.Budget:
    """Memory that a model may take.

    Args:
        model: The cap and the reserve, if the owner set them.
        facts: Of the board, now.
        held: Bytes that our child has now and would give back.
    """
    reserve = None if model.reserve_mib is None else model.reserve_mib * MIB
    return fit.budget(facts, held, model.memory_mib * MIB or None, reserve)


def _seen(
    found: Found | None,
    header: Header | None,
    figures: Figures,
    digest_of: Callable[[Path, int], str],
) -> Seen:
    known = header if found is None else found.header
    if found is None:
        return Seen(header=known)
    try:
        digest = digest_of(found.path, found.header.data_offset)
    except ModelError:  # gone, or changed while it is read: its speed is not known then
        digest = ""
    return Seen(header=known, on_disk=True, measurements=figures.of(digest))
