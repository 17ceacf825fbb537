"""The child's one loop: attend to frames, take one step of computing, repeat.

There is no second thread. Between steps frames are read without blocking; inside a long step
llama.cpp's abort callback does it. With nothing to compute the loop blocks on the socket.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from edged.engine.frames import (
    Beat,
    Cancel,
    Failed,
    Frame,
    Generate,
    Load,
    LoadFailed,
    Loading,
    Pace,
    Quit,
    Ready,
    ToChild,
)
from edged.engine.worker.channel import BEAT_S, Channel
from edged.engine.worker.held import Held
from edged.engine.worker.model import SELF_TEST, LoadError, Model
from edged.engine.worker.native import llama
from edged.engine.worker.prompt import Prompter, PromptError
from edged.engine.worker.sequence import DecodeError, Sequence, check
from edged.errors import FrameError

if TYPE_CHECKING:
    from edged.engine.worker.sequence import Finish

# A graph has hundreds to thousands of nodes and the callback is asked at each: look at the socket
# as rarely as a person waiting for a cancel allows.
LOOK_S = 0.05
_LOADING_FRAME_S = 0.25
_MAX_LINE = 4000


class Worker:
    """Serves one daemon until it says Quit or closes the socket.

    Args:
        channel: The socket to it.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._abort = llama.ggml_abort_callback(self._at_node)
        self._look_at = 0.0
        self._loading_at = 0.0
        self._broken: FrameError | None = None
        self._load: Load | None = None
        self._request: Generate | None = None
        self._received_at = 0.0
        self._cancelled = False
        self._pace: Pace | None = None
        self._idle_ratio = 0.0
        self._chunk = 0

    def run(self) -> None:
        """Load, then answer requests; returns only if the model cannot be loaded.

        Raises:
            FrameError: The daemon broke the protocol.
        """
        while self._load is None:
            self._attend(None)
        try:
            self._open(self._load)
        except LoadError as error:
            self._channel.send(LoadFailed(code=error.code, message=str(error)[:_MAX_LINE]))
            return
        while True:
            self._attend(None if self._request is None else 0.0)
            if self._request is not None:
                self._answer(self._request)
                self._request = None

    def _attend(self, timeout_s: float | None) -> None:
        for frame in self._channel.receive(timeout_s):
            self._handle(frame)

    def _handle(self, frame: ToChild) -> None:
        match frame:
            case Quit():
                # Native destructors would only give back what the kernel takes anyway.
                os._exit(0)
            case Pace():
                self._pace = frame
            case Cancel():
                if self._request is not None and frame.key == self._request.key:
                    self._cancelled = True
            case Generate() if self._load is not None and self._request is None:
                self._request, self._cancelled = frame, False
                self._received_at = time.monotonic()
            case Load() if self._load is None:
                self._load = frame
            case _:
                message = f"{type(frame).__name__} out of order"
                raise FrameError(message)

    def _at_node(self, _data: object) -> bool:
        """Asked by llama.cpp before each node of a prompt's graph; true aborts."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look(now)
        return self._cancelled

    def _look(self, now: float) -> None:
        try:
            self._attend(0.0)
        except FrameError as error:
            # An exception cannot pass through native code.
            self._broken, self._cancelled = error, True
        if now - self._channel.sent_at >= BEAT_S:
            self._channel.send(Beat())

    def _progress(self, done: float) -> None:
        now = time.monotonic()
        if now - self._loading_at >= _LOADING_FRAME_S:
            self._loading_at = now
            self._channel.send(Loading(percent=min(100.0, max(0.0, done * 100.0))))
            self._look(now)

    def _open(self, load: Load) -> None:
        started = time.monotonic()
        self._model = model = Model(load, self._progress)
        self._held = Held(model)
        self._prompter = Prompter(model)
        self._chunk = load.prefill_chunk
        loaded = time.monotonic()
        self._self_test()
        ready = Ready(
            n_ctx=model.n_ctx,
            n_ctx_train=model.n_ctx_train,
            n_params=model.n_params,
            n_vocab=model.n_vocab,
            description=model.description,
            load_ms=(loaded - started) * 1e3,
            selftest_ms=(time.monotonic() - loaded) * 1e3,
            system_info=llama.llama_print_system_info().decode()[:_MAX_LINE],
            template=self._prompter.source,
            warning=self._prompter.warning,
        )
        self._send_unless_broken(ready)

    def _self_test(self) -> None:
        """Decode one token: pages come in, kernels run, and broken weights show."""
        model = self._model
        code = model.decode_prompt([max(model.bos, 0)], 0, self._abort)
        if code != 0:
            raise LoadError(SELF_TEST, f"llama_decode returned {code}")
        if not model.logits_are_finite():
            raise LoadError(SELF_TEST, "the model computes NaN: its weights are damaged")
        model.clear()

    def _send_unless_broken(self, frame: Frame) -> None:
        if self._broken is not None:
            raise self._broken
        self._channel.send(frame)

    def _answer(self, request: Generate) -> None:
        try:
            tokens = self._prompter.tokens(request.messages)
        except PromptError as error:
            self._fail(request, error.code, str(error))
            return
        sequence = Sequence(
            self._model,
            self._channel,
            request,
            held=self._held,
            tokens=tokens,
            received_at=self._received_at,
        )
        try:
            finish = self._compute(sequence)
            self._send_unless_broken(sequence.done(finish))
        except DecodeError as error:
            self._fail(request, "decode_failed", str(error))
        finally:
            sequence.close()

    def _fail(self, request: Generate, code: str, message: str) -> None:
        self._send_unless_broken(Failed(key=request.key, code=code, message=message[:_MAX_LINE]))

    def _compute(self, sequence: Sequence) -> Finish:
        """Step until the run is finished or cancelled."""
        context, native = self._model.context, self._model.batch.native
        decode, attend, now = llama.llama_decode, self._attend, time.monotonic
        while sequence.finish is None:
            attend(0.0)
            if self._cancelled:
                return "cancelled"
            if self._pace is not None:
                self._apply(self._pace)
            began = now()
            if sequence.reading:
                sequence.read(self._chunk, self._abort)
            else:
                sequence.place()
                check(decode(context, native))
                sequence.placed()
                sequence.take()
            if self._idle_ratio:
                self._rest(sequence, now() - began)
        return sequence.finish

    def _apply(self, pace: Pace) -> None:
        self._pace = None
        self._model.set_threads(pace.threads, pace.threads_batch)
        self._idle_ratio = pace.idle_share / (1.0 - pace.idle_share)
        self._chunk = min(pace.prefill_chunk, self._model.n_batch)

    def _rest(self, sequence: Sequence, busy_s: float) -> None:
        """Sleep for the idle share of a step, awake for frames."""
        until = time.monotonic() + busy_s * self._idle_ratio
        sequence.flush()
        while not self._cancelled and self._pace is None and sequence.finish is None:
            left = until - time.monotonic()
            if left <= 0.0:
                return
            self._attend(min(left, BEAT_S))
            if time.monotonic() - self._channel.sent_at >= BEAT_S:
                self._channel.send(Beat())
