"""Keeps personas and often used prompts read: the child reads, a thread of ours does the disk.

What is decided is decided in `edged.engine.prefixes`; here it is done. All methods are called in
the event loop; what the thread has done comes back through the inbox as `DiskDone`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from edged import personatext
from edged.daemon.errand import DiskDone, DiskThread, Job
from edged.daemon.items import Tick
from edged.engine import build, frames, orders
from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import Message
from edged.engine.prefix import Persona
from edged.engine.prefixes import Prefixes
from edged.engine.statefile import BadState, Identity
from edged.engine.statestore import Opened
from edged.errors import StorageError
from edged.models.fingerprint import is_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from edged.clock import Clock
    from edged.daemon.notes import Notes
    from edged.engine.statefd import Taken
    from edged.engine.statestore import Kept, StateStore
    from edged.engine.supervisor import Supervisor
    from edged.models.fingerprint import Fingerprint
    from edged.settings import PersonaConfig

Answer: TypeAlias = frames.Learned | frames.Saved | frames.Failed


class PrefixKeeper:
    """Between child, disk and journal.

    Args:
        personas: Of the configuration.
        model: The file that the child opens, and what it was when it was checked.
        engine: Of the child.
        store: Of the saved states; None saves nothing.
        clock: For the time.
        notes: Journal and health; no text of a prompt goes there.
        post: Puts an item into the inbox; called in the event loop.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every room
        self,
        *,
        personas: Iterable[PersonaConfig],
        model: tuple[Path, Fingerprint],
        engine: Supervisor,
        store: StateStore | None,
        clock: Clock,
        notes: Notes,
        post: Callable[[object], None],
    ) -> None:
        self._prefixes = Prefixes([persona_of(persona) for persona in personas])
        self._model = model
        self._engine = engine
        self._store = store
        self._clock = clock
        self._notes = notes
        self._thread = DiskThread(post)
        self._opened = store is None
        self._build: str | None = None
        self._ready: frames.Ready | None = None
        self._job: Job | None = None

    @property
    def saving(self) -> bool:
        """Whether something read is not on the disk yet, and would have to be read once more."""
        return self._job is not None and isinstance(self._job.order, orders.Save)

    # From core.

    def start(self) -> None:
        """Look what is on disk, while the child loads."""
        if self._store is not None:
            self._thread.run(None, _open, self._store)

    def hear(self, item: object, now: float) -> None:
        """Take an item of the inbox; those of others are ignored."""
        match item:
            case EngineUp():
                self._engine_up(item, now)
            case EngineDied():
                self._engine_died(item)
            case frames.Learned() | frames.Saved() | frames.Failed():
                self._frame(item, now)
            case DiskDone():
                self._disk_done(item, now)
            case Tick():
                self._perform(self._prefixes.tick(now))

    def change(self, path: Path, known: Fingerprint) -> None:
        """The child is to open another model: what is known of the present one goes with it."""
        self._model = (path, known)
        self._lost(blamed=False)

    def used(self, messages: frames.Messages, now: float) -> None:
        """A request begins with these messages."""
        self._perform(self._prefixes.used(messages, now))

    def forget(self, now: float) -> None:
        """Let go of all that was kept because requests used it; personas stay."""
        self._perform(self._prefixes.forget(now))

    def stop(self) -> None:
        """Give up what is being written, and wait for the thread."""
        self._thread.stop()

    # Items of the inbox.

    def _engine_up(self, event: EngineUp, now: float) -> None:
        self._ready = event.ready
        if self._opened:
            self._begin(event.ready, now)

    def _engine_died(self, event: EngineDied) -> None:
        job = self._job
        # It reads ahead only while nothing runs; the rest it does at once.
        learning = job is not None and isinstance(job.order, orders.Learn)
        self._lost(blamed=job is not None and job.with_child and not (event.runs and learning))

    def _lost(self, *, blamed: bool) -> None:
        """The child is gone, and with it the errand it had in hand."""
        self._ready = None
        job, self._job = self._job, None
        if job is not None and job.with_child:
            job.close()  # else the thread has it, and `disk_done` closes it
        self._perform(self._prefixes.died(blamed=blamed))

    def _frame(self, frame: Answer, now: float) -> None:
        job = self._job
        if job is None or not job.with_child or frame.key != job.order.key:
            return
        match frame:
            case frames.Learned():
                self._job = None
                self._perform(
                    self._prefixes.learned(
                        frame.key, frame.tokens, frame.state_bytes, frame.read_ms, now
                    )
                )
            case frames.Saved() if isinstance(job.order, orders.Save):
                self._saved(job, job.order, frame, now)
            case frames.Failed():
                self._fail(job, frame.code, now)

    # The beginning.

    def _begin(self, ready: frames.Ready, now: float) -> None:
        self._perform(self._prefixes.up(self._identity(ready), now))

    def _identity(self, ready: frames.Ready) -> Identity | None:
        path, fingerprint = self._model
        if self._store is None or self._build is None:
            return None
        if not is_unchanged(path, fingerprint):
            self._notes.prefix_step("no_disk", None, "the model file changed since the start")
            return None
        return Identity(
            model=fingerprint.digest,
            build=self._build,
            system=ready.system_info,
            machine=os.uname().machine,
            description=ready.description,
            n_params=ready.n_params,
            n_vocab=ready.n_vocab,
            kv_type=ready.kv_type,
            flash_attention=ready.flash_attention,
        )

    def _open_done(self, result: object, now: float) -> None:
        self._opened = True
        match result:
            case (Opened() as opened, str(build_id)):
                self._build = build_id
                self._prefixes.found(opened.found)
                for gone in opened.removed:
                    self._notes.prefix_removed(gone.file, gone.reason)
            case Exception():
                self._notes.prefixes_not_saved(str(result), now)
            case _:
                self._notes.prefixes_not_saved("the engine's libraries are not found", now)
        if self._ready is not None:
            self._begin(self._ready, now)

    # Orders.

    def _perform(self, todo: list[orders.Order]) -> None:
        for order in todo:
            match order:
                case orders.Known():
                    self._notes.prefix_known(order)
                case orders.GivenUp():
                    self._notes.prefix_given_up(order)
                case orders.Unlearn():
                    self._engine.unlearn(order.key)
                case orders.Delete():
                    self._delete(order)
                case _:
                    self._set_out(Job(order))

    def _set_out(self, job: Job) -> None:
        self._job = job
        order = job.order
        self._notes.prefix_step(type(order).__name__.lower(), order.key)
        try:
            match order:
                case orders.Learn():
                    job.with_child = True
                    self._engine.learn(order.key, order.messages)
                case orders.Restore() if self._store is not None:
                    self._thread.run(job, self._store.take, order.file)
                case orders.Save() if self._store is not None:
                    self._save(job, order, self._store.limit)
        except (OSError, ValueError) as error:
            self._fail(job, type(error).__name__, self._clock.monotonic())

    def _save(self, job: Job, order: orders.Save, limit: int) -> None:
        size = order.header.state_bytes
        if size > limit:
            self._job = None
            now = self._clock.monotonic()
            self._perform(self._prefixes.stored(order.key, None, (), now))
            return
        job.fd = os.memfd_create("edged prefix", os.MFD_CLOEXEC)
        os.ftruncate(job.fd, size)
        job.with_child = True
        self._engine.save(order.key, job.fd)

    def _saved(self, job: Job, order: orders.Save, frame: frames.Saved, now: float) -> None:
        if self._store is None or not 0 < frame.size <= order.header.state_bytes:
            self._fail(job, "bad_size", now)
            return
        job.with_child = False
        header = msgspec.structs.replace(order.header, state_bytes=frame.size)
        self._thread.run(job, self._store.save, header, job.fd, self._thread.stopping)

    def _delete(self, order: orders.Delete) -> None:
        self._notes.prefix_removed(order.file, order.reason)
        if self._store is not None:
            self._thread.forget(self._store.delete, order.file)

    def _fail(self, job: Job, code: str, now: float) -> None:
        self._job = None
        job.close()
        self._notes.prefix_step("failed", job.order.key, code)
        self._perform(self._prefixes.failed(job.order.key, code, now))

    # The disk.

    def _disk_done(self, event: DiskDone, now: float) -> None:
        job = event.job
        if job is None:
            self._open_done(event.result, now)
        elif isinstance(job.order, orders.Restore):
            self._taken(job, job.order, event.result, now)
        elif isinstance(job.order, orders.Save):
            self._stored(job, job.order, event.result, now)

    def _taken(
        self, job: Job, order: orders.Restore, result: Taken | BadState | Exception, now: float
    ) -> None:
        current = self._job is job
        if isinstance(result, BadState | Exception):
            reason = result.reason if isinstance(result, BadState) else type(result).__name__
            self._notes.prefix_removed(order.file, reason)
            if current:
                self._job = None
                self._perform(self._prefixes.refused(order.key, now))
            return
        try:
            if current:
                job.with_child = True
                size = result.header.state_bytes
                self._engine.restore(order.key, order.messages, result.fd, result.offset, size)
        except ValueError as error:
            self._fail(job, type(error).__name__, now)
        finally:
            os.close(result.fd)

    def _stored(self, job: Job, order: orders.Save, result: Kept | Exception, now: float) -> None:
        job.close()
        if self._job is job:
            self._job = None
        if isinstance(result, Exception):
            reason = str(result) if isinstance(result, StorageError) else type(result).__name__
            self._notes.prefixes_not_saved(reason, now)
            self._perform(self._prefixes.stored(order.key, None, (), now, fault=True))
            return
        if result.found is not None:
            self._notes.prefixes_saved()
        for gone in result.removed:
            self._notes.prefix_removed(gone.file, gone.reason)
        files = [gone.file for gone in result.removed]
        self._perform(self._prefixes.stored(order.key, result.found, files, now))


def persona_of(config: PersonaConfig) -> Persona:
    """A persona as the child reads it."""
    # What is filled in changes, so it is no part of what is read ahead.
    lead, _ = personatext.parts(config.system)
    messages = [Message(role="system", content=lead)]
    for turn in config.turns:
        messages.append(Message(role="user", content=turn.user.strip()))
        messages.append(Message(role="assistant", content=turn.assistant.strip()))
    return Persona(config.name, tuple(messages))


def _open(store: StateStore) -> tuple[Opened, str | None]:
    return store.open(), build.build_id()
