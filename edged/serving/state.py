"""Everything the dispatcher knows; only its handlers write here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from edged.serving import deadlines, replies
from edged.serving.admission import Load
from edged.serving.backlog import Backlog
from edged.serving.conversations import Bounds, Conversations
from edged.serving.effects import MarkWaiting
from edged.serving.events import Paced
from edged.serving.jobs import Jobs
from edged.serving.lines import Lines
from edged.serving.outcomes import Outcomes
from edged.serving.positions import Positions
from edged.serving.row import Row
from edged.serving.running import Run, Running, closing
from edged.serving.window import MAX_REPLIES, DuplicateWindow

if TYPE_CHECKING:
    from edged.serving.effects import Effect
    from edged.serving.request import Reply, Request
    from edged.serving.running import Job

# What a run takes before one was seen: a prompt of 200 tokens and 80 tokens of reply on a Pi 5.
FIRST_GUESS_S = 30.0
# Share of the newest run in the mean: about the last ten runs count.
NEWEST_SHARE = 0.2


class Settings(Struct, frozen=True, kw_only=True):
    """How much the dispatcher takes on.

    Attributes:
        capacity: The most that may wait.
        per_client: The most that one client may have waiting.
        duplicate_window_s: Seconds for which a reply is remembered after the broker took it.
        max_replies: The most replies remembered in that window.
        sessions: How much is kept of conversations.
        unheard: Personas whose fields no broker has told yet.
    """

    capacity: int = 64
    per_client: int = 48
    duplicate_window_s: float = 600.0
    max_replies: int = MAX_REPLIES
    sessions: Bounds = Bounds()
    unheard: frozenset[str] = frozenset()


class State:
    """The desk at which the handlers work, one after the other.

    Attributes:
        settings: How much is taken on; an owner may change it.
        jobs: Accepted requests without a reply: the waiting and the running.
        backlog: The waiting ones, in their order.
        running: The running ones.
        lines: Those of one session, who run one after the other.
        conversations: What was said in each session.
        outcomes: The answered ones.
        positions: Tells those who wait.
        unheard: Personas that begin nothing before it is known how the house is.
        variant: What the engine has loaded last.
        ready: The engine takes requests.
        fatal: Why the engine will not come back; None: it is there or will be.
        paused: An owner pressed pause.
        heat: What the heat of the board leaves of admission.
        draining: The daemon is stopping.
        memory_only: The ledger takes no writes.
        restored: What the ledger held at start is taken up.
        mean_s: Mean seconds of a run.
        timed: It is of runs that there were, and no guess.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jobs = Jobs()
        self.backlog = Backlog()
        self.running = Running()
        self.lines = Lines()
        self.conversations = Conversations(settings.sessions)
        window = DuplicateWindow(settings.duplicate_window_s, settings.max_replies)
        self.outcomes = Outcomes(window)
        self.positions = Positions(self.backlog, self.running)
        self.unheard = settings.unheard
        self.variant: str | None = None
        self.ready = False
        self.fatal: str | None = None
        self.paused = False
        self.heat = Paced()
        self.draining = False
        self.memory_only = False
        self.restored = False
        self.mean_s = FIRST_GUESS_S
        self.timed = False
        self._settled: object = None

    @property
    def stirred(self) -> bool:
        """Whether somebody may start, for all that is known without a look at those who wait."""
        # Whoever stands behind another one of its session waits, and none of them runs.
        return len(self.backlog) > self.lines.behind and self._settled != self._moves()

    def settle(self) -> None:
        """Nobody who waits can start: not worth another look before something moves."""
        self._settled = self._moves()

    def _moves(self) -> tuple[int, int, int, int]:
        changes = self.backlog.changes, self.running.changes
        return *changes, self.running.slots, len(self.unheard)

    def may_start(self, request: Request) -> bool:
        """Whether it waits for nothing but its turn."""
        return request.persona not in self.unheard and self.lines.first(request)

    def load(self, request: Request, now: float) -> Load:
        """What admission needs to know about a request."""
        return Load(
            waiting=len(self.backlog),
            waiting_of_client=self.backlog.of_client(request.client),
            running=len(self.running),
            capacity=self.settings.capacity,
            per_client=self.settings.per_client,
            slots=self.running.slots,
            unconfirmed=self.outcomes.window.unconfirmed,
            avg_service_s=self.mean_s,
            paused=self.paused,
            too_hot=request.priority in self.heat.refused,
            cool_in_s=self.heat.cool_in_s,
            draining=self.draining,
            fatal=self.fatal,
            answer_within=request.answer_within,
            start_in_s=self._start_in_s(request, now),
        )

    def _start_in_s(self, request: Request, now: float) -> float:
        # Looking through the queue is for those who ask about it.
        if request.answer_within is None or not self.timed:
            return 0.0
        if len(self.backlog) == self.lines.behind and self.running.free(request) > 0:
            return 0.0  # it overtakes all who wait
        return self.positions.start_in_s(request, self.mean_s, now)

    def served(self, seconds: float) -> None:
        """Count one run into the mean."""
        self.timed = True
        self.mean_s += NEWEST_SHARE * (seconds - self.mean_s)

    def wait(self, job: Job, now: float, deadline: float | None, *, front: bool = False) -> None:
        """Let a job wait."""
        self.jobs.add(job)
        self.lines.join(job.request)
        self.backlog.push(job.request, now, deadline, front=front)

    def conclude(self, job: Job, reply: Reply) -> list[Effect]:
        """Answer a job that waits or waited no more; it leaves all books but the window."""
        self.backlog.remove(job.request.key)
        self.lines.leave(job.request)
        self.jobs.remove(job)
        return self.outcomes.conclude(job, reply)

    def start(self, job: Job, now: float) -> list[Effect]:
        """Begin a run of a job that has left the backlog, behind what was said in its session."""
        session, recalled = job.request.session, None
        if session is not None:
            recalled = self.conversations.recall(job.request, session, job.max_turns, now)
        return self.running.start(job, now, recalled)

    def conclude_run(self, run: Run, reply: Reply, now: float) -> list[Effect]:
        """Answer a run that has left `running`; its session goes on if it is whole."""
        if run.recalled is not None:
            said, tokens = replies.said(run, reply), replies.tokens(reply)
            self.conversations.close(run.recalled, said, tokens, now)
            reply = replace(reply, session=run.recalled.use)
        return [*closing(run), *self.conclude(run.job, reply)]

    def requeue(self, run: Run, attempts: int, now: float) -> list[Effect]:
        """Let a run that has left `running` wait once more; its session stays as it was."""
        if run.recalled is not None:
            self.conversations.close(run.recalled, None, 0, now)
        run.job.attempts = attempts
        self.wait(run.job, now, deadlines.start_by(run.job, began=True), front=True)
        return [MarkWaiting(key=run.job.request.key, attempts=attempts)]

    def waiting(self) -> list[Job]:
        """The jobs that wait, oldest push first."""
        return [self.jobs[entry.request.key] for entry in self.backlog.entries()]

    def rows(self, now: float) -> tuple[Row, ...]:
        """All that the ledger should hold."""
        open_rows = [
            Row(
                key=job.request.key,
                state="waiting" if job.request.key in self.backlog else "running",
                request=job.request,
                attempts=job.attempts,
                fingerprint=job.fingerprint,
                age_s=max(0.0, now - job.accepted_at),
            )
            for job in self.jobs
        ]
        return (*self.outcomes.rows(now), *open_rows)
