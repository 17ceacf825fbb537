"""The requests that run: what came back so far and what to tell about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from edged.serving import deadlines
from edged.serving.effects import CancelRun, MarkRunning, SendDelta, SendProgress, Submit
from edged.serving.request import Priority
from edged.serving.text import clean

if TYPE_CHECKING:
    from edged.serving.conversation import Recalled
    from edged.serving.effects import Effect, Phase
    from edged.serving.events import Decoded, Prefilled
    from edged.serving.request import Request

# A person reads no faster, and QoS 0 is no reason to flood a broker.
PROGRESS_EVERY_S = 1.0
# Until the engine tells.
FIRST_SLOTS = 1
# Whoever is in a hurry need not wait for a slot: the engine lets the others wait.
URGENT_SLOTS = 1
# Mean characters of a token; real ones are about 4, long runs of blanks about 30.
MAX_TOKEN_CHARS = 64


class Job(Struct, kw_only=True, eq=False):
    """An accepted request that has no reply yet.

    Attributes:
        request: What was asked.
        accepted_at: In seconds of the dispatcher's clock; before 0 for an old row.
        attempts: Runs begun so far.
        fingerprint: Digest of the delivery.
        max_turns: The most earlier turns that its prompt has room for; None: not known.
        restored: It was accepted before the daemon's last start.
    """

    request: Request
    accepted_at: float
    attempts: int = 0
    fingerprint: str | None = None
    max_turns: int | None = None
    restored: bool = False

    @property
    def alone(self) -> bool:
        """Whether it is to run alone: it was interrupted before, and may have been the cause."""
        return self.attempts > 0

    @property
    def resumed(self) -> bool:
        """Whether this run may not be its first: some of its time went by with another one."""
        return self.restored or self.attempts > 1


class Run(Struct, kw_only=True, eq=False):
    """One attempt at a job.

    Attributes:
        job: What runs.
        started_at: Seconds of the dispatcher's clock.
        recalled: What its prompt begins with, if it goes on with a session.
        alone: Nothing else may run.
        told_at: When progress was told last.
        touched: The engine has begun with it.
        cancelled: Somebody asked for its end.
        full: The engine sent more text than so many tokens can have.
        prompt_tokens: Length of the prompt, as far as the engine told.
        tokens: Tokens made so far.
        first_at: When the first text came.
        seq: Number of the next delta.
        parts: The text so far; its deltas in order.
        size: Characters in `parts`.
    """

    job: Job
    started_at: float
    recalled: Recalled | None = None
    alone: bool = False
    told_at: float | None = None
    touched: bool = False
    cancelled: bool = False
    full: bool = False
    prompt_tokens: int = 0
    tokens: int = 0
    first_at: float | None = None
    seq: int = 0
    parts: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def text(self) -> str:
        """The text so far: the join of all deltas."""
        return "".join(self.parts)


class Running:
    """The runs by key.

    Attributes:
        slots: The most that run at once, apart from an urgent one.
        changes: Counts every start and every end.
    """

    def __init__(self) -> None:
        self.slots = FIRST_SLOTS
        self.changes = 0
        self._runs: dict[str, Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def full(self) -> bool:
        """Whether nothing may start, whatever it is."""
        lonely = any(run.alone for run in self._runs.values())
        return lonely or len(self._runs) >= self.slots + URGENT_SLOTS

    def fits(self, job: Job) -> bool:
        """Whether this one may start now."""
        if self.full or (job.alone and self._runs):
            return False
        return len(self._runs) < self.slots or job.request.priority is Priority.URGENT

    def free(self, request: Request) -> int:
        """Places that a newcomer of its priority would find, if nobody waited."""
        urgent = request.priority is Priority.URGENT
        return self.slots + URGENT_SLOTS * urgent - len(self._runs)

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        return list(self._runs.values())

    def start(self, job: Job, now: float, recalled: Recalled | None = None) -> list[Effect]:
        """Begin a run, behind what is recalled of its session; it must fit."""
        key = job.request.key
        self._runs[key] = Run(job=job, started_at=now, recalled=recalled, alone=job.alone)
        self.changes += 1
        job.attempts += 1
        asked = job.request if recalled is None else recalled.expand(job.request)
        submit = Submit(request=asked, within_s=deadlines.within_s(job, now))
        return [MarkRunning(key=key, attempts=job.attempts), submit]

    def end(self, key: str) -> Run | None:
        """Take this run out; None if it does not run (any more)."""
        self.changes += 1
        return self._runs.pop(key, None)

    def take_all(self) -> list[Run]:
        """Take all runs out, the oldest first."""
        runs = self.runs()
        self.changes += 1
        self._runs.clear()
        return runs

    def cancel(self, key: str) -> list[Effect]:
        """Ask the engine to end this run, once."""
        run = self._runs[key]
        asked = run.cancelled or run.full
        run.cancelled = True
        return [] if asked else [CancelRun(key=key)]

    def prefilled(self, event: Prefilled, now: float) -> list[Effect]:
        """Some more of the prompt is read."""
        run = self._runs.get(event.key)
        if run is None:
            return []
        run.touched = True
        run.prompt_tokens = event.total
        if not _due(run, now):
            return []
        fields = {"percent": round(100 * min(event.done / max(event.total, 1), 1), 1)}
        if event.planned is not None:
            fields["planned_tokens"] = float(event.planned)
        return [_progress(run, "prefill", fields)]

    def decoded(self, event: Decoded, now: float) -> list[Effect]:
        """Some more text is there."""
        run = self._runs.get(event.key)
        if run is None or run.full:
            return []
        run.touched = True
        run.tokens += event.tokens
        if run.size + len(event.text) > run.job.request.max_tokens * MAX_TOKEN_CHARS:
            run.full = True
            return [] if run.cancelled else [CancelRun(key=event.key)]
        return self._grow(run, clean(event.text), now)

    def _grow(self, run: Run, text: str, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if text:
            run.parts.append(text)
            run.size += len(text)
            if run.job.request.stream:
                effects.append(_delta(run, text))
        if run.first_at is None:
            # The first token ends the prefill: a rate needs a second one.
            run.first_at = run.told_at = now
        elif _due(run, now):
            rate = round(run.tokens / (now - run.first_at), 2)
            fields = {"tokens": float(run.tokens), "predicted_per_second": rate}
            effects.append(_progress(run, "decode", fields))
        return effects


def closing(run: Run) -> list[Effect]:
    """The last delta, where deltas are wanted."""
    return [_delta(run, "", done=True)] if run.job.request.stream else []


def _delta(run: Run, text: str, *, done: bool = False) -> SendDelta:
    seq = run.seq
    run.seq += 1
    return SendDelta(key=run.job.request.key, id=run.job.request.id, seq=seq, delta=text, done=done)


def _due(run: Run, now: float) -> bool:
    if run.told_at is not None and now - run.told_at < PROGRESS_EVERY_S:
        return False
    run.told_at = now
    return True


def _progress(run: Run, phase: Phase, fields: dict[str, float]) -> SendProgress:
    return SendProgress(key=run.job.request.key, id=run.job.request.id, phase=phase, fields=fields)
