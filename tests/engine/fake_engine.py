"""A child that speaks the real frames and does what a script says: `fake_engine.py SCRIPT FD SIDE`.

The script is a JSON object; see `fake_script`. Without faults it answers with the words of the last
message, honours cancel, max_tokens, priority and pace, and counts one token per word.
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

# It is started by path, from anywhere.
sys.path.insert(0, str(Path(__file__).parents[2]))

from edged.engine import codec, frames
from edged.engine.worker import guard
from edged.engine.worker.cadence import Cadence
from edged.engine.worker.channel import BEAT_S, Channel
from edged.engine.worker.output import Output
from edged.engine.worker.reading import due_at
from edged.engine.worker.tally import Tally
from tests.engine.fake_answers import obedient, scores
from tests.engine.fake_errands import Errands, Stopwatch
from tests.engine.fake_script import Fault, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

FOREVER_S = 1e6
REST_S = 0.01  # a new pace is noticed after so long
ENDED = object()


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The run was cancelled."""


class Overdue(Exception):  # noqa: N818 - likewise
    """The run has no more time."""


class Run:
    """One request; each `next` of `steps` is a turn of it."""

    def __init__(self, request: frames.Generate) -> None:
        self.request = request
        self.key = request.key
        self.prompt = "\n".join(message.content for message in request.messages)
        self.words = self.prompt.split()
        self.cancelled = False
        self.began = time.monotonic()
        self.ends_at = due_at(request, self.began)
        self.output: Output | None = None
        self.decoding = False
        self.cadence = Cadence()
        self.steps: Iterator[None] = iter(())


class FakeEngine:
    def __init__(
        self, channel: Channel, sock: socket.socket, side: socket.socket, script: Script, life: int
    ) -> None:
        self._channel = channel
        self._sock = sock
        self._script = script
        self._life = life
        self._pace = frames.Pace(threads=1, threads_batch=1)
        self._tally = Tally()
        self._load: frames.Load | None = None
        self._streams = 1
        self._runs: dict[str, Run] = {}
        stopwatch = Stopwatch(channel, self._repeat, script.n_ctx, script.speeds)
        self._errands = Errands(channel, side, self._read_lesson, script.n_ctx, stopwatch)

    def run(self) -> None:
        while self._load is None:
            self._look(None)
        self._start(self._load)
        while True:
            # Read all before acting on one: a Cancel may come together with its Generate.
            self._look(0.0 if self._runs or self._errands.pending else None)
            self._errands.perform(alone=not self._runs)
            for run in self._turn():
                if next(run.steps, ENDED) is ENDED:
                    del self._runs[run.key]

    def _turn(self) -> list[Run]:
        """Those that compute, the urgent first, and those that are to end."""
        now = time.monotonic()
        order = sorted(self._runs.values(), key=lambda run: (run.request.priority, run.ends_at))
        ending = {run.key for run in order if run.cancelled or run.ends_at <= now}
        return [run for n, run in enumerate(order) if n < self._streams or run.key in ending]

    def _look(self, timeout_s: float | None) -> None:
        for frame in self._channel.receive(timeout_s):
            self._handle(frame)

    def _handle(self, frame: frames.ToChild) -> None:
        match frame:
            case frames.Load():
                self._load = frame
            case frames.Generate():
                self._admit(Run(frame))
            case frames.Pace():
                self._pace = frame
                for run in self._runs.values():
                    run.cadence.set(frame.decode_tps)
            case frames.Quit():
                sys.exit(0)
            case frames.Cancel(key=key) if key in self._runs and not self._script.ignore_cancel:
                self._runs[key].cancelled = True
            case (
                frames.Learn()
                | frames.Restore()
                | frames.Save()
                | frames.Unlearn()
                | frames.Measure()
            ):
                self._errands.pending.append(frame)
            case _:
                pass

    def _admit(self, run: Run) -> None:
        extra = run.request.priority == 0
        if len(self._runs) >= self._streams + extra or run.key in self._runs:
            sys.stderr.write("the daemon broke the protocol: Generate out of order\n")
            os._exit(2)
        run.steps = self._answer(run)
        run.cadence.set(self._pace.decode_tps)
        self._runs[run.key] = run

    def _start(self, load: frames.Load) -> None:
        self._streams = self._script.streams or load.streams or 1
        self._sleep(self._script.load_ms / 2e3)
        self._channel.send(frames.Loading(percent=50.0))
        self._fault("load", 0)
        self._sleep(self._script.load_ms / 2e3)
        if self._script.load_failed is not None:
            code, message = self._script.load_failed
            self._channel.send(frames.LoadFailed(code=code, message=message))
            sys.exit(1)
        self._ready(load)
        self._fault("idle", 0)

    def _ready(self, load: frames.Load) -> None:
        ready = frames.Ready(
            n_ctx=min(self._script.n_ctx, load.n_ctx),
            n_ctx_train=self._script.n_ctx,
            n_params=1,
            n_vocab=2,
            description="fake",
            load_ms=self._script.load_ms,
            selftest_ms=0.0,
            system_info="fake",
            backend="fake",
            streams=self._streams,
        )
        self._channel.send(ready)

    def _answer(self, run: Run) -> Iterator[None]:
        total = len(run.words)
        if total >= self._script.n_ctx:
            message = f"the prompt has {total} tokens, the context {self._script.n_ctx}"
            self._fail(run.key, "prompt_too_long", message)
            return
        words = self._answer_words(run.request, run.prompt)
        cached = self._errands.cached(run.words)
        if run.request.within_s is not None and not self._plan(run, cached):
            return
        counted = 0
        read = run.began
        try:
            yield from self._prefill(run, cached)
            read = time.monotonic()
            if run.request.choices:
                words = []
            for counted, word in enumerate(words):
                self._fault("decode", counted, run.prompt)
                yield from self._rest(run)
                self._decode(run)
                self._tell(run, word)
                yield
            counted = len(words)
            self._fault("decode", counted, run.prompt)
            reason: Literal["stop", "length", "deadline", "cancelled"] = (
                "length" if counted >= run.request.max_tokens else "stop"
            )
        except Cancelled:
            reason = "cancelled"
        except Overdue:
            reason = "deadline"
        except RuntimeError as error:
            self._fail(run.key, "decode", str(error))
            return
        if run.output is not None:
            run.output.close(cut=reason == "deadline")
        self._channel.send(
            frames.Done(
                key=run.key,
                finish_reason=reason,
                prompt_tokens=total,
                cached_tokens=cached,
                completion_tokens=counted,
                prompt_ms=(read - run.began) * 1e3,
                predicted_ms=(time.monotonic() - read) * 1e3,
                ttft_ms=(read - run.began) * 1e3 + self._script.ms_per_token,
                scores=scores(run.request.choices, run.prompt) if reason == "stop" else (),
            )
        )

    def _plan(self, run: Run, cached: int) -> bool:
        """Whether it can be in time; says what fits, or that nothing does."""
        total = len(run.words)
        left_s = run.ends_at - time.monotonic()
        need_s = self._script.prefill_ms / 1e3 * (total - cached) / max(total, 1)
        if need_s > left_s:
            message = f"reading takes {need_s:.1f} s, {left_s:.1f} s are left"
            self._fail(run.key, "too_late", message)
            return False
        fits = 1 + int((left_s - need_s) / max(self._script.ms_per_token / 1e3, 1e-6))
        planned = None if run.request.choices else min(fits, run.request.max_tokens)
        self._channel.send(frames.Prefill(key=run.key, done=cached, total=total, planned=planned))
        run.output = Output(self._channel, run.key, ())
        if run.request.schema is None:
            run.output.hold()
        return True

    def _tell(self, run: Run, word: str) -> None:
        if run.output is None:
            self._channel.send(frames.Delta(key=run.key, text=word, tokens=1))
        else:
            run.output.add(word.encode(), time.monotonic())

    def _rest(self, run: Run) -> Iterator[None]:
        """Until the next token is due; the others have their turns meanwhile."""
        run.decoding = True
        while wait_s := run.cadence.wait_s(time.monotonic()):
            self._sleep(min(wait_s, REST_S), run)
            self._tell_effort()
            yield

    def _decode(self, run: Run) -> None:
        """One token; computing is slept."""
        now = time.monotonic()
        run.cadence.took(now)
        self._tally.begin(now)
        seconds = self._script.ms_per_token / 1e3
        self._sleep(seconds, run)
        self._tally.computed(time.monotonic(), self._pace.threads, 1)
        self._tell_effort()
        self._sleep(seconds * self._pace.idle_share / (1.0 - self._pace.idle_share), run)

    def _tell_effort(self) -> None:
        now = time.monotonic()
        if self._tally.due(now):
            decoding = sum(run.decoding for run in self._runs.values())
            self._channel.send(self._tally.effort(now, decoding, self._pace.threads))

    def _answer_words(self, request: frames.Generate, prompt: str) -> list[str]:
        text = prompt if self._script.echo else request.messages[-1].content
        text = text if self._script.answer is None else self._script.answer
        if request.schema is not None:
            text = obedient(request.schema)
        words = [word + " " for word in text.split()] or ["? "]
        count = self._script.tokens or len(words)
        return list(itertools.islice(itertools.cycle(words), min(count, request.max_tokens)))

    def _prefill(self, run: Run, cached: int) -> Iterator[None]:
        chunks, total = self._script.prefill_chunks, len(run.words)
        unread = total - cached
        for chunk in range(chunks):
            self._fault("prefill", chunk, run.prompt)
            self._sleep(self._script.prefill_ms * unread / max(total, 1) / chunks / 1e3, run)
            done = cached + unread * (chunk + 1) // chunks
            self._channel.send(frames.Prefill(key=run.key, done=done, total=total))
            yield

    def _read_lesson(self, chunk: int, chunks: int, text: str) -> None:
        self._fault("learn", chunk, text)
        self._sleep(self._script.learn_ms / chunks / 1e3)

    def _repeat(self) -> None:
        self._fault("measure", 0)
        self._sleep(self._script.measure_ms / 1e3)

    def _fail(self, key: str, code: str, message: str) -> None:
        self._channel.send(frames.Failed(key=key, code=code, message=message))

    def _sleep(self, seconds: float, run: Run | None = None) -> None:
        """Sleep in slices, attending to frames and beating like the real one."""
        until = time.monotonic() + seconds
        if run is not None:
            until = min(until, run.ends_at)
        while True:
            self._look(max(0.0, min(until - time.monotonic(), BEAT_S)))
            if run is not None and run.cancelled:
                raise Cancelled
            if run is not None and time.monotonic() >= run.ends_at:
                raise Overdue
            if time.monotonic() >= until:
                return
            if time.monotonic() - self._channel.sent_at >= BEAT_S:
                self._channel.send(frames.Beat())

    def _fault(self, at: str, token: int, prompt: str = "") -> None:
        for fault in self._script.faults:
            due = (fault.at, fault.token) == (at, token) and fault.match in prompt
            if due and (fault.times == 0 or self._life <= fault.times):
                self._misbehave(fault)

    def _misbehave(self, fault: Fault) -> None:
        match fault.do:
            case "signal":
                die(signal.Signals[str(fault.value)])
            case "exit":
                os._exit(int(fault.value))
            case "hang":
                time.sleep(FOREVER_S)
            case "stderr":
                for _ in range(int(fault.value) // 1000):
                    sys.stderr.write("a line on stderr that nobody asked for\n" * 1000)
            case "close":
                self._sock.shutdown(socket.SHUT_RDWR)
                time.sleep(FOREVER_S)
            case "fail":
                raise RuntimeError(str(fault.value))
            case _:
                self._lie(fault.do)

    def _lie(self, kind: str) -> None:
        delta = codec.encode(frames.Delta(key="nobody", text="", tokens=1))
        saved = codec.encode(frames.Saved(key=frames.ERRAND, size=1))
        body = b'{"t":"Delta","key":"k","text":"\\ud800","tokens":-1}'
        if kind == "second_ready":
            assert self._load is not None
            self._ready(self._load)
            return
        lies = {
            "garbage": b"HTTP/1.1 200 OK\r\n\r\n",
            "huge": b"\xff\xff\xff\xff" + b"x" * 1000,
            "half": delta[: len(delta) // 2],
            "unknown_key": delta,
            "unknown_errand": saved,
            "bad_field": codec.HEADER.pack(len(body)) + body,
        }
        self._sock.sendall(lies[kind])
        if kind == "half":
            os._exit(0)


def die(number: signal.Signals) -> None:
    """Die of it even if Python would turn it into an exception."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number is not signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def count_life(script: Path) -> int:
    lives = script.with_name(script.name + ".lives")
    with lives.open("a", encoding="ascii") as file:
        file.write("x")
    return lives.stat().st_size


def main() -> None:
    path = Path(sys.argv[1])
    sock, side = (socket.socket(fileno=int(number)) for number in sys.argv[2:4])
    guard.protect(sock)
    script = msgspec.json.decode(path.read_bytes(), type=Script)
    FakeEngine(Channel(sock), sock, side, script, count_life(path)).run()


if __name__ == "__main__":
    main()
