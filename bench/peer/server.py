"""llama-server as a process that listens on this machine only, and its answers."""

from __future__ import annotations

import http.client
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from bench.peer.programs import folder
from bench.peer.reports import Chunk, chat_chunk, chunk
from bench.peer.served import Served, read
from tests.rig.broker import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from bench.peer.programs import Same

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 120.0
ANSWER_TIMEOUT_S: Final = 600.0
END_TIMEOUT_S: Final = 20.0
POLL_S: Final = 0.05
LOG_CHARACTERS: Final = 4000
# As edged is asked.
ALIKE: Final = MappingProxyType(
    {"temperature": 0, "repeat_penalty": 1, "cache_prompt": True, "stream": True}
)


class Completing:
    """Answers under way."""

    def __init__(self, answers: Sequence[Future[Served]]) -> None:
        self._answers = answers

    def over(self, timeout_s: float) -> bool:
        """Whether all are there, after so many seconds at most."""
        return not wait(self._answers, timeout_s).not_done

    def answers(self) -> list[Served]:
        """All of them, in the order of the prompts.

        Raises:
            ConnectionError: One failed.
        """
        return [answer.result() for answer in self._answers]


class ServerProcess:
    """`with ServerProcess(same, streams) as server:` loads the model and waits until it answers."""

    def __init__(self, same: Same, streams: int) -> None:
        self._port = free_port()
        context = str(streams * same.context)
        place = ("--host", HOST, "--port", str(self._port), "--offline")
        size = ("-np", str(streams), "-c", context, "-tb", str(same.threads), "-fit", "off")
        self._command = (str(folder() / "llama-server"), *same.options, *size, *place)
        self._streams = streams
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._log = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            self._threads = stack.enter_context(ThreadPoolExecutor(self._streams))
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
            )
            stack.callback(self._end)
            self._wait_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(f"llama-server's log:\n{self.log()[-LOG_CHARACTERS:]}")
        self._stack.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def log(self) -> str:
        """All that it wrote so far."""
        self._log.seek(0)
        return self._log.read()

    def complete(self, prompt: str, tokens: int) -> Served:
        """Answer one rendered prompt greedily, streamed."""
        fields = {"prompt": prompt, "n_predict": tokens}
        return self._answer("/completion", fields, chunk)

    def chat(self, system: str, prompt: str, tokens: int) -> Served:
        """Answer one chat greedily, streamed; it fills in the model's template as edged does."""
        turns = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        fields = {"messages": turns, "max_tokens": tokens}
        return self._answer("/v1/chat/completions", fields, chat_chunk)

    def completing(self, prompts: Sequence[str], tokens: int) -> Completing:
        """Like `complete`, with all prompts sent at once, and without waiting."""
        return Completing([self._threads.submit(self.complete, each, tokens) for each in prompts])

    def _answer(
        self, path: str, fields: dict[str, Any], reading: Callable[[bytes], Chunk | None]
    ) -> Served:
        body = msgspec.json.encode(fields | ALIKE)
        sent = time.monotonic()
        return read(list(self._events(path, body, reading)), sent)

    def _events(
        self, path: str, body: bytes, reading: Callable[[bytes], Chunk | None]
    ) -> Iterator[tuple[float, Chunk]]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status != http.client.OK:
                message = f"llama-server: {response.status} {response.read(LOG_CHARACTERS)!r}"
                raise ConnectionError(message)
            while line := response.readline():
                event = reading(line)
                if event is not None:
                    yield time.monotonic(), event
        finally:
            connection.close()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                message = f"llama-server does not answer:\n{self.log()[-LOG_CHARACTERS:]}"
                raise TimeoutError(message)
            time.sleep(POLL_S)

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except ConnectionError:
            return False
        finally:
            connection.close()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
