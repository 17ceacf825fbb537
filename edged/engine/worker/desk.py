"""All that a loaded model works on: runs, prefixes and errands, one step at a time."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING, Any

from edged.engine.frames import Failed, Generate, Pace
from edged.engine.worker.brancher import Brancher
from edged.engine.worker.cadence import Cadence
from edged.engine.worker.context import Context, DecodeError
from edged.engine.worker.decision import Decision
from edged.engine.worker.errands import Errands
from edged.engine.worker.host import HostCache
from edged.engine.worker.maker import Maker
from edged.engine.worker.prefixes import Prefixes
from edged.engine.worker.prompt import PromptError
from edged.engine.worker.punctual import TOO_LATE, Punctual
from edged.engine.worker.runs import Arrival, Runs
from edged.engine.worker.sequence import Sequence
from edged.engine.worker.stepper import NoRoomError, Stepper
from edged.engine.worker.stopwatch import Stopwatch
from edged.engine.worker.tiered import Tiered

if TYPE_CHECKING:
    import socket

    from edged.engine.worker.channel import Channel
    from edged.engine.worker.crew import Crew
    from edged.engine.worker.forecast import Forecast
    from edged.engine.worker.model import Model
    from edged.engine.worker.pacing import Pacing
    from edged.engine.worker.prompt import Prompter
    from edged.engine.worker.reading import Reading
    from edged.engine.worker.run import Run

_MAX_LINE = 4000


class Desk:
    """Takes requests and errands, and computes them step by step.

    Args:
        model: Computes.
        context: Where it does.
        channel: Where results go.
        side: Where descriptors come from.
        prompter: Turns messages into tokens.
        pacing: Sizes steps.
        forecast: Tells how long they will take.
        crew: The threads.
        streams: Runs side by side.
        abort: Asked inside steps that only read prompts.

    Attributes:
        decoded: Tokens that the last step decoded; 0 if it read as well, or was none.
        read: Prompt tokens that it read; 0 if it decoded as well, or was none.
        forecast: Is to be told what steps take.
    """

    def __init__(  # noqa: PLR0913 - the worker's composition root
        self,
        *,
        model: Model,
        context: Context,
        channel: Channel,
        side: socket.socket,
        prompter: Prompter,
        pacing: Pacing,
        forecast: Forecast,
        crew: Crew,
        streams: int,
        abort: Any,
    ) -> None:
        self._model = model
        self._context = context
        self._channel = channel
        self._pacing = pacing
        self._crew = crew
        self._prefixes = _prefixes(context)
        self._maker = Maker(model, context, channel, prompter)
        self._brancher = Brancher(context, self._prefixes, abort)
        self._decided = False
        self._stepper = Stepper(context, self._prefixes, pacing, abort)
        self._reading: list[Reading] = []
        self._cadence = Cadence()
        self.decoded = self.read = 0
        self.forecast = forecast
        self._punctual = Punctual(forecast, self._cadence)
        self._stopwatch = Stopwatch(
            context=context,
            prefixes=self._prefixes,
            crew=crew,
            channel=channel,
            n_vocab=model.n_vocab,
            abort=abort,
        )
        self.runs = Runs(streams, context.slots)
        self.errands = Errands(
            channel=channel,
            side=side,
            prompter=prompter,
            prefixes=self._prefixes,
            memory=context.memory,
            stopwatch=self._stopwatch,
            limit=context.n_ctx,
        )

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.runs.idle and self.errands.idle and self._prefixes.settled

    @property
    def changed(self) -> bool:
        """Whether somebody waits to be looked at: a newcomer, or one who is to end."""
        late = self.runs.next_end <= time.monotonic()
        ending = late or any(run.finish or run.cancelled for run in self.runs)
        return ending or bool(self.runs.arrived)

    @property
    def interrupted(self) -> bool:
        """Whether the present step is to be given up."""
        now = time.monotonic()
        came = bool(self.runs.arrived)
        timing = came and self._stopwatch.running
        # Whoever computes at once is read for less in this step than in the next ones.
        joins = came and self.runs.free and self._stepper.early(now)
        return timing or joins or self.runs.interrupts(self._reading, now)

    def arrive(self, request: Generate) -> bool:
        """Take a request; False if there may be no more, or one of its key runs."""
        if self.runs.full or self.runs.knows(request.key):
            return False
        self.runs.arrived.append(Arrival(request, time.monotonic()))
        return True

    @property
    def decoding(self) -> int:
        """Runs that decode now."""
        return sum(_writes(run) for run in self.runs.active)

    @property
    def cores(self) -> int:
        """Threads of the present or last step."""
        return self._context.cores

    @property
    def threads(self) -> int:
        """Threads of decode."""
        return self._context.threads[0]

    def wait_s(self) -> float:
        """Seconds until the next token is due, if nothing but that is to be computed."""
        active = self.runs.active
        if not active or not all(_writes(run) for run in active):
            return 0.0
        return self._cadence.wait_s(time.monotonic())

    def set_pace(self, pace: Pace) -> None:
        """From the next step on."""
        self._crew.set(pace.threads, pace.threads_batch)
        room = self._context.batch.capacity - self._context.slots
        self._pacing.limit = min(pace.prefill_chunk, room)
        self._cadence.set(pace.decode_tps)
        self.forecast.set_pace(pace.idle_share, pace.decode_tps)

    def flush(self) -> None:
        """Send what text there is."""
        for run in self.runs:
            run.flush()

    def advance(self) -> bool:
        """Look at who came and who is to end, then take one step; False if none was taken."""
        while self.runs.arrived:
            self._admit(self.runs.arrived.pop(0))
        self.errands.perform()
        self._end_finished()
        self.decoded = self.read = 0
        active = self.runs.active
        if active:
            self._stopwatch.interrupt()
        elif self._stopwatch.busy:
            self._stopwatch.advance()
            return True
        computed = self._step(active) if active else self._learn()
        if not computed and not active:
            self._prefixes.settle(time.monotonic())
        if computed:
            self._end_finished()
        self._channel.release()
        if computed:
            self._crew.look()
        return computed

    # Runs.

    def _admit(self, arrival: Arrival) -> None:
        try:
            run = self._maker.make(arrival)
        except PromptError as error:
            self.runs.turn_away(arrival.request.key)
            self._fail(arrival.request.key, error.code, str(error))
            return
        known = self._prefixes.known(run.prompt)
        self.runs.add(run, known, partial=self._context.memory.partial)
        if run.ends_at != inf:
            self._plan(run, known)

    def _plan(self, run: Run, known: int) -> None:
        """Tell what fits, or that nothing does."""
        known = max(known, run.follows)
        refusal = self._punctual.plan(run, known, time.monotonic())
        if refusal is None:
            run.tell(known)
            return
        self.runs.remove(run)
        run.close()
        self._fail(run.key, TOO_LATE, refusal)

    def _step(self, active: list[Run]) -> bool:
        now = time.monotonic()
        for run in active:
            if not run.begun and not run.waits(active):
                self._begin(run, now)
        begun = [run for run in active if run.begun]
        deciding = [run for run in begun if isinstance(run, Decision) and run.deciding]
        others = [run for run in begun if run not in deciding]
        # In turns, so that nobody waits longer than for a chunk of a prompt.
        self._decided = bool(deciding) and not (self._decided and others)
        return self._decide(deciding[0]) if self._decided else self._read_on(others, now)

    def _decide(self, run: Decision) -> bool:
        """A round of options of a decision."""
        self._reading = [run]
        try:
            self._brancher.round(run)
        except (NoRoomError, DecodeError) as error:
            self._lose(run, str(error) or "no room in the context")
        finally:
            self._reading = []
        return True

    def _read_on(self, begun: list[Run], now: float) -> bool:
        """A token for those that write, and some of the prompts unread."""
        decoding = [run for run in begun if isinstance(run, Sequence) and not run.reading]
        decoders = [] if self._cadence.wait_s(now) else decoding
        self._reading = [run for run in begun if run.reading]
        if not decoders and not self._reading:
            return False
        try:
            read = self._stepper.step(decoders, self._reading, len(decoding))
        except NoRoomError:
            self._make_way(begun[-1])
            return True
        except DecodeError as error:
            for run in begun:
                if run in decoders or run.reading:
                    self._lose(run, str(error))
            return True
        finally:
            self._reading = []
        if not decoders:
            self.read = self._context.batch.size if read else 0
        self._channel.hold()  # what all streams say about the steps before
        for run in decoders:
            run.leave()
        self._channel.release()
        self._channel.hold()  # what all streams say about this step
        self._enter(decoders, now, alone=not read)
        self._tell_read([run for run in begun if run in read], first=not decoding)
        return True

    def _tell_read(self, runs: list[Run], *, first: bool) -> None:
        """They read some of their prompts; whose is whole has its first token by that."""
        now = time.monotonic()
        for run in runs:
            run.tell_read(now)
            if first and not run.reading:
                self._cadence.took(now)

    def _enter(self, decoders: list[Sequence], began: float, *, alone: bool) -> None:
        """A token for each of those that decoded in the step."""
        if decoders:
            self._cadence.took(began)
            self.decoded = sum(len(run.tokens) for run in decoders) if alone else 0
        for run in decoders:
            run.take()

    def _begin(self, run: Run, now: float) -> None:
        if not run.begin(self._prefixes, now):
            self._give_up(run, "all sequences run")

    def _make_way(self, run: Run) -> None:
        """All cells are taken by runs: the last in order ends with what it has."""
        if run.reading:
            self._lose(run, "no room in the context")
        else:
            run.finish = "length"

    def _lose(self, run: Run, message: str) -> None:
        """What llama.cpp did with this run is unknown: nothing of it is kept."""
        self._prefixes.abandon(run.sequence)
        self._give_up(run, message)

    def _give_up(self, run: Run, message: str) -> None:
        self.runs.remove(run)
        run.close()
        self._fail(run.key, "decode_failed", message)

    def _end_finished(self) -> None:
        self._punctual.enforce(self.runs, time.monotonic())
        for run in [run for run in self.runs if run.finish or run.cancelled]:
            self.runs.remove(run)
            self._close(run)
            self._channel.send(run.done(run.finish or "cancelled"))

    def _close(self, run: Run) -> None:
        run.close()
        if not run.begun:
            return
        run.say_break(self._model)
        if run.reading and not self._context.memory.partial:
            # Cut off inside a step, its state is of no known token.
            self._prefixes.abandon(run.sequence)
        else:
            self._prefixes.close(run.sequence, time.monotonic())

    # Errands.

    def _learn(self) -> bool:
        lesson = self.errands.lesson
        if lesson is None:
            return False
        now = time.monotonic()
        if not lesson.begun and not lesson.begin(self._prefixes, now):
            self.errands.drop_lesson("no_room", "all sequences run")
            return False
        self._reading = [lesson]
        try:
            self._stepper.step([], [lesson], 0)
        except (NoRoomError, DecodeError) as error:
            self.errands.drop_lesson("decode_failed", str(error) or "no room in the context")
        finally:
            self._reading = []
        self.errands.advanced(time.monotonic())
        return True

    def _fail(self, key: str, code: str, message: str) -> None:
        self._channel.send(Failed(key=key, code=code, message=message[:_MAX_LINE]))


def _prefixes(context: Context) -> Prefixes:
    """The books of a context, with a second tier if there is memory for it."""
    if not context.host_bytes:
        return Prefixes(
            context.memory, context.n_cells, context.runs, context.sequences, context.branches
        )
    return Tiered(
        context.memory,
        HostCache(context.host_bytes),
        cells=context.n_cells,
        runs=context.runs,
        sequences=context.sequences,
        branches=context.branches,
    )


def _writes(run: Run) -> bool:
    """Whether each step brings a token of it."""
    return isinstance(run, Sequence) and not run.reading
