"""A child that speaks the real frames and does what a script says: `fake_engine.py SCRIPT FD`.

The script is a JSON object; see `Script`. Without faults it answers with the words of the last
message, honours cancel, max_tokens and pace, and counts one token per word.
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Literal

import msgspec

from edged.engine import codec, frames
from edged.engine.worker import guard
from edged.engine.worker.channel import BEAT_S, Channel

FOREVER_S = 1e6


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """Something to go wrong.

    Attributes:
        at: The phase; `idle` is right after Ready.
        do: What goes wrong; `value` is the signal's name, the exit code, or the lines of stderr.
        token: In prefill the chunk and in decode the token before which it happens.
        times: In so many lives (counted in SCRIPT.lives); 0 means in every one.
        match: Only for a prompt that contains this.
    """

    at: Literal["load", "idle", "prefill", "decode"]
    do: Literal[
        "signal",
        "exit",
        "hang",
        "garbage",
        "huge",
        "half",
        "unknown_key",
        "second_ready",
        "bad_field",
        "stderr",
        "close",
        "fail",
    ]
    value: str | int = 0
    token: int = 0
    times: int = 0
    match: str = ""


class Script(msgspec.Struct, forbid_unknown_fields=True):
    """Milliseconds are slept, not computed; `tokens` 0 means as many as the answer has words."""

    load_ms: float = 0.0
    load_failed: tuple[str, str] | None = None
    n_ctx: int = 2048
    prefill_ms: float = 0.0
    prefill_chunks: int = 1
    ms_per_token: float = 0.0
    tokens: int = 0
    answer: str | None = None
    echo: bool = False
    ignore_cancel: bool = False
    faults: tuple[Fault, ...] = ()


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The run was cancelled."""


class FakeEngine:
    def __init__(self, channel: Channel, sock: socket.socket, script: Script, life: int) -> None:
        self._channel = channel
        self._sock = sock
        self._script = script
        self._life = life
        self._key = ""
        self._prompt = ""
        self._idle_share = 0.0
        self._inbox: deque[frames.ToChild] = deque()
        self._load: frames.Load | None = None

    def run(self) -> None:
        while True:
            # Read all before acting on one: a Cancel may come together with its Generate.
            self._inbox.extend(self._channel.receive(None))
            while self._inbox:
                self._handle(self._inbox.popleft())

    def _handle(self, frame: frames.ToChild) -> None:
        match frame:
            case frames.Load():
                self._start(frame)
            case frames.Generate():
                self._generate(frame)
            case frames.Pace():
                self._idle_share = frame.idle_share
            case frames.Quit():
                sys.exit(0)
            case frames.Cancel():
                pass

    def _start(self, load: frames.Load) -> None:
        self._load = load
        self._sleep(self._script.load_ms / 2e3)
        self._channel.send(frames.Loading(percent=50.0))
        self._fault("load", 0)
        self._sleep(self._script.load_ms / 2e3)
        if self._script.load_failed is not None:
            code, message = self._script.load_failed
            self._channel.send(frames.LoadFailed(code=code, message=message))
            sys.exit(1)
        self._ready()
        self._fault("idle", 0)

    def _ready(self) -> None:
        ready = frames.Ready(
            n_ctx=min(self._script.n_ctx, self._load.n_ctx if self._load else 2048),
            n_ctx_train=self._script.n_ctx,
            n_params=1,
            n_vocab=2,
            description="fake",
            load_ms=self._script.load_ms,
            selftest_ms=0.0,
            system_info="fake",
        )
        self._channel.send(ready)

    def _generate(self, request: frames.Generate) -> None:
        self._key = request.key
        self._prompt = "\n".join(message.content for message in request.messages)
        started = time.monotonic()
        total = len(self._prompt.split())
        if total >= self._script.n_ctx:
            message = f"the prompt has {total} tokens, the context {self._script.n_ctx}"
            self._fail("prompt_too_long", message)
            return
        words = self._words(request)
        counted = 0
        read = started
        try:
            self._prefill(total)
            read = time.monotonic()
            for counted, word in enumerate(words):
                self._fault("decode", counted)
                self._sleep(self._script.ms_per_token / 1e3 / (1.0 - self._idle_share))
                self._channel.send(frames.Delta(key=self._key, text=word, tokens=1))
            counted = len(words)
            self._fault("decode", counted)
            reason: Literal["stop", "length", "cancelled"] = (
                "length" if counted >= request.max_tokens else "stop"
            )
        except Cancelled:
            reason = "cancelled"
        except RuntimeError as error:
            self._fail("decode", str(error))
            return
        ended = time.monotonic()
        self._channel.send(
            frames.Done(
                key=self._key,
                finish_reason=reason,
                prompt_tokens=total,
                cached_tokens=0,
                completion_tokens=counted,
                prompt_ms=(read - started) * 1e3,
                predicted_ms=(ended - read) * 1e3,
                ttft_ms=(read - started) * 1e3 + self._script.ms_per_token,
            )
        )

    def _words(self, request: frames.Generate) -> list[str]:
        text = self._prompt if self._script.echo else request.messages[-1].content
        text = text if self._script.answer is None else self._script.answer
        words = [word + " " for word in text.split()] or ["? "]
        count = self._script.tokens or len(words)
        return list(itertools.islice(itertools.cycle(words), min(count, request.max_tokens)))

    def _prefill(self, total: int) -> None:
        chunks = self._script.prefill_chunks
        for chunk in range(chunks):
            self._fault("prefill", chunk)
            self._sleep(self._script.prefill_ms / chunks / 1e3)
            done = total * (chunk + 1) // chunks
            self._channel.send(frames.Prefill(key=self._key, done=done, total=total))

    def _fail(self, code: str, message: str) -> None:
        self._channel.send(frames.Failed(key=self._key, code=code, message=message))

    def _sleep(self, seconds: float) -> None:
        """Sleep in slices, attending to frames and beating like the real one."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            self._inbox.extend(self._channel.receive(max(0.0, min(left, BEAT_S))))
            while self._inbox:
                self._attend(self._inbox.popleft())
            if time.monotonic() >= until:
                return
            self._channel.send(frames.Beat())

    def _attend(self, frame: frames.ToChild) -> None:
        match frame:
            case frames.Quit():
                sys.exit(0)
            case frames.Pace():
                self._idle_share = frame.idle_share
            case frames.Cancel(key=key) if key == self._key and not self._script.ignore_cancel:
                raise Cancelled
            case _:
                pass

    def _fault(self, at: str, token: int) -> None:
        for fault in self._script.faults:
            due = (fault.at, fault.token) == (at, token) and fault.match in self._prompt
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
        body = b'{"t":"Delta","key":"k","text":"\\ud800","tokens":-1}'
        if kind == "second_ready":
            self._ready()
            return
        lies = {
            "garbage": b"HTTP/1.1 200 OK\r\n\r\n",
            "huge": b"\xff\xff\xff\xff" + b"x" * 1000,
            "half": delta[: len(delta) // 2],
            "unknown_key": delta,
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
    sock = socket.socket(fileno=int(sys.argv[2]))
    guard.protect(sock)
    script = msgspec.json.decode(path.read_bytes(), type=Script)
    FakeEngine(Channel(sock), sock, script, count_life(path)).run()


if __name__ == "__main__":
    main()
