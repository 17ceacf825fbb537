"""Looks at board, catalogue, disk and what is known of speeds, and judges every variant."""

from __future__ import annotations

import asyncio
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from edged.daemon.calibrate import calibrate, plan_for
from edged.daemon.choicetext import ladder, sentence, told
from edged.daemon.model import open_model
from edged.daemon.outlook import View, Wish
from edged.daemon.selection import Selection
from edged.engine import build
from edged.errors import StorageError
from edged.files import read_bounded
from edged.models import attempts
from edged.models.calibrationfile import save_calibration
from edged.models.device import Roots, probe
from edged.models.fetcher import Fetcher
from edged.models.figurestore import save_measured
from edged.models.fingerprint import fingerprint, is_unchanged
from edged.models.inventory import ENDING, MAX_FILES, MAX_MODELS, OWN_FILES, read_catalogue
from edged.models.known import load_figures
from edged.models.listing import listing
from edged.models.records import Quarantined
from edged.models.repacking import repacked_bytes
from edged.models.scout import Scout
from edged.models.settings import untried
from edged.models.signs import Signs
from edged.models.store import Store
from edged.models.survey import budget_of, models_directory, survey
from edged.models.unread import unread
from edged.password import read_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from edged.clock import Clock
    from edged.daemon.changing import Changer
    from edged.daemon.model import Model
    from edged.daemon.outlook import World
    from edged.engine.supervisor import Supervisor
    from edged.models.candidates import Candidate, Choice
    from edged.models.facts import DeviceFacts
    from edged.models.figures import KvType, Measurement
    from edged.models.fingerprint import Fingerprint
    from edged.models.gguf import Header
    from edged.models.inventory import Inventory
    from edged.models.variants import Variant
    from edged.settings import Config

KIB = 1 << 10
MAX_STATUS_BYTES = 65_536  # of /proc/PID/status, which has some 60 lines
_ANONYMOUS, _MAPPED = (
    re.compile(rb"^Rss%b:\s+(\d+) kB" % name, re.MULTILINE) for name in (b"Anon", b"File")
)


class Surveyor:
    """Called in one thread; remembers the fingerprints of files, which cost 4 MiB of reading each.

    Args:
        config: The daemon's.
        state_dir: Where measurements are, and models unless the configuration says otherwise.
        roots: Of this machine; a test has a recorded one.
        catalogues: Folder of the owner's catalogue files.
        scout: Knows headers of files that are not here; None knows none.
    """

    def __init__(
        self,
        config: Config,
        state_dir: Path,
        roots: Roots | None = None,
        *,
        catalogues: Path,
        scout: Scout | None = None,
    ) -> None:
        self._config = config
        self._state_dir = state_dir
        self.folder = models_directory(config, state_dir)
        self._roots = roots or Roots(models=self.folder)
        self._catalogues = catalogues
        self._scout = scout
        self._known: dict[Path, Fingerprint] = {}
        self._no_room: set[tuple[str, KvType]] = set()  # since the start

    @cached_property
    def _build(self) -> str:
        """Of the engine, whose libraries stay as they are while we run: hashed once."""
        return build.build_id() or "unknown"

    def look(self, wish: Wish, pid: int | None = None) -> View:
        """Judge all variants.

        Args:
            wish: Of the owner.
            pid: Of our child, which gives back what it holds before another model is loaded.

        Raises:
            ConfigError: A catalogue has mistakes.
            StorageError: A catalogue cannot be read.
        """
        facts, board = self.board()
        # Taken first: what changes while we look is seen as changed after it.
        signs = self._signs(facts, pid)
        figures = load_figures(self._state_dir, board)
        marks = {mark.variant: mark.reason for mark in Store(self.folder).quarantined()}
        engine = msgspec.structs.replace(self._config.engine, target_tps=wish.target_tps)
        catalogue = read_catalogue(self._catalogues)
        headers = {} if self._scout is None else self._scout.known(catalogue)
        found = survey(
            msgspec.structs.replace(self._config, engine=engine),
            facts,
            catalogue,
            self.folder,
            figures,
            headers=headers,
            held=self._held(pid),
            quarantined=marks | dict(wish.barred),
            pinned=wish.pinned,
            no_room=self._no_room,
            digest_of=self._digest,
        )
        choice, inventory, seen = found.choice, found.inventory, found.seen
        rungs = ladder(choice)
        local = rungs[min(wish.rung, len(rungs) - 1)].variant if rungs else choice.serves
        verdict = choice.verdict(local)
        candidate = None if verdict is None else verdict.candidate
        if candidate is not None:
            self._no_room |= {(candidate.variant.id, kind) for kind in candidate.cache.no_room}
        return View(
            board=board,
            best=choice.chosen,
            local=local,
            model=None if candidate is None else self._open(candidate, inventory),
            trial=None if candidate is None else self._trial(candidate, inventory, facts),
            ladder=rungs,
            wanted=self._wanted(choice, inventory),
            unread=self._unread(choice, headers) if figures.calibration is not None else (),
            need=None if candidate is None or candidate.need is None else candidate.need.total,
            signs=signs,
            options=tuple(each for each in found.selectable if self._can_be_had(each, inventory)),
            measured=frozenset(name for name, each in seen.items() if each.measurements),
            calibrated=not self._config.model.calibrate or figures.calibration is not None,
            payload=msgspec.json.encode(told(choice, wish)),
            sentence=sentence(choice),
        )

    def signs(self, pid: int | None = None) -> Signs:
        """How things stand, from a few small files.

        Args:
            pid: Of our child.
        """
        return self._signs(probe(self._roots), pid)

    def _signs(self, facts: DeviceFacts, pid: int | None) -> Signs:
        return Signs(
            have=budget_of(self._config.model, facts, self._held(pid)).have,
            limit=facts.cgroup_limit_bytes,
            models=listing(self.folder, ENDING, MAX_MODELS),
            catalogues=listing(self._catalogues, ".yaml", MAX_FILES),
        )

    def quarantine(self, file: str, variant: str, reason: str) -> None:
        """Put a file of the models directory aside, so that it is not loaded after a restart.

        The packaged one stays: it is what serves when nothing else can.

        Raises:
            StorageError: The disk does not let us.
        """
        if (self.folder / file).exists():
            mark = Quarantined(variant=variant, file=file, code="kills", reason=reason)
            Store(self.folder).quarantine(mark)

    def board(self) -> tuple[DeviceFacts, str]:
        """The facts of this machine, and their fingerprint with the engine's build."""
        facts = probe(self._roots)
        return facts, facts.fingerprint(self._build)

    async def calibrate(self, clock: Clock, pid: int | None = None) -> None:
        """Time made-up models and write what was found.

        Args:
            clock: Times it.
            pid: Of our child, whose model is to stay in memory, though its pages may be taken.

        Raises:
            EngineError: A child died.
            StorageError: The disk does not take it.
        """
        facts, board = self.board()
        plan = plan_for(facts, self._roots.root / "sys")
        found = await calibrate(
            facts,
            board,
            self._state_dir,
            clock,
            planned=plan,
            tell=lambda *_: None,
            beside=self._resident(pid, _MAPPED),
        )
        save_calibration(self._state_dir, found)

    def _unread(self, choice: Choice, headers: dict[str, Header]) -> tuple[Variant, ...]:
        return () if self._scout is None else self._scout.due(unread(choice, headers))

    async def read_headers(self, variants: Sequence[Variant]) -> AsyncIterator[str]:
        """Ask hubs for headers; yields what came of each."""
        if self._scout is not None:
            async for said in self._scout.read(variants):
                yield said

    def _held(self, pid: int | None) -> int:
        """Bytes that a process has for itself; pages of files are counted as available already."""
        return self._resident(pid, _ANONYMOUS)

    def _resident(self, pid: int | None, kind: re.Pattern[bytes]) -> int:
        """Bytes of a process that are in memory."""
        if pid is None:
            return 0
        try:
            text = read_bounded(self._roots.root / f"proc/{pid}/status", MAX_STATUS_BYTES)
        except StorageError:
            return 0
        found = kind.search(text)
        return int(found[1]) * KIB if found else 0

    def keep(self, measurement: Measurement) -> None:
        """Write a measurement.

        Raises:
            StorageError: The disk does not take it.
        """
        save_measured(self._state_dir, measurement)

    def _digest(self, path: Path, data_offset: int) -> str:
        """Of a file, read again only if it is not the same any more."""
        known = self._known.get(path)
        if known is None or not is_unchanged(path, known):
            known = self._known[path] = fingerprint(path, data_offset)
        return known.digest

    def _wanted(self, choice: Choice, inventory: Inventory) -> Variant | None:
        """The best one, if it is not here, may be had, and is worth it as far as one can know."""
        name, verdict = choice.chosen, choice.verdict(choice.chosen)
        if name is None or name in inventory.found:
            return None
        if verdict is None or verdict.speed is None:
            return None  # gigabytes on a guess are no service
        return inventory.catalogue.variant(name) if self._can_be_had(name, inventory) else None

    def _can_be_had(self, name: str, inventory: Inventory) -> bool:
        """Whether a variant is on this disk, or may be fetched from somewhere."""
        variant = inventory.catalogue.variant(name)
        source = None if variant is None else variant.repo or variant.url
        return name in inventory.found or (self._config.model.download.enabled and bool(source))

    def _open(self, candidate: Candidate, inventory: Inventory) -> Model:
        """The model, loaded as was found to be fastest, as far as the owner left that open."""
        name, known = candidate.variant.id, candidate.measurements
        model = open_model(self._config, inventory.found[name].path, name, candidate.cache.kind)
        engine = self._config.engine
        best = next(iter(known), candidate.prediction)
        if best is None:
            return model
        load = model.load
        if not (engine.threads or engine.threads_batch):
            load = replace(load, threads=best.threads, threads_batch=best.threads_batch)
        if engine.repack == "auto" and known:
            load = replace(load, repack=best.repack)
        return replace(model, load=load)

    def _trial(
        self, candidate: Candidate, inventory: Inventory, facts: DeviceFacts
    ) -> Model | None:
        """The model in a way that was not timed yet, if its file can be loaded in several."""
        header, cache = inventory.found[candidate.variant.id].header, candidate.cache
        moves = repacked_bytes(header, facts.cpu_features) > 0
        repack = self._config.engine.repack if moves else "off"
        way = untried(repack, candidate.measurements, cache.kind, cache.kinds)
        if way is None:
            return None
        model = self._open(replace(candidate, cache=replace(cache, kind=way.kv_type)), inventory)
        if repack != "auto":
            return model
        return replace(model, load=replace(model.load, repack=way.repack))


def selection(  # noqa: PLR0913 - the composition root hands over every room
    config: Config,
    state_dir: Path,
    world: World,
    changer: Changer,
    engine: Supervisor,
    *,
    post: Callable[[object], None],
) -> Selection | None:
    """What chooses on this machine; None where the owner named a file."""
    if config.model.path is not None:
        return None
    outside = attempts.World(
        store=Store(models_directory(config, state_dir)),
        config=config.model.download,
        token=read_token(config.model.download.token_file),
        clock=world.clock,
    )
    catalogues = Path(config.model.catalogue_dir or OWN_FILES)
    scout = Scout(outside, state_dir)
    surveyor = Surveyor(config, state_dir, catalogues=catalogues, scout=scout)
    return Selection(
        survey=surveyor,
        changer=changer,
        engine=engine,
        open_fetcher=lambda: _fetcher(outside, post),
        world=world,
        post=post,
        wish=Wish(target_tps=config.engine.target_tps),
    )


def _fetcher(outside: attempts.World, post: Callable[[object], None]) -> Fetcher:
    """Downloads into the models directory; its events come to the event loop that runs now."""

    def tell(event: object) -> None:
        loop.call_soon_threadsafe(post, event)

    loop = asyncio.get_running_loop()
    return Fetcher(outside, tell)
