"""A client in C for answers that are compared with llama-bench, which has none at all.

A home's clients are mostly on other machines. One in Python beside edged takes 0.3 to 0.5 % of a
core, in which the threads that compute wait for each other.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Final, Self

from bench.asking import ANSWER_TIMEOUT_S, Asked, read, request
from edged.clock import SystemClock
from tests.rig.client import Record

if TYPE_CHECKING:
    from types import TracebackType

    from tests.rig.client import TestClient

POLL_S: Final = 0.01  # only once the answer is over
TIMEOUT_S: Final = 30.0


class Listener:
    """`with Listener(client, node) as listener:` returns once it hears what the node answers.

    Args:
        client: Sends the requests; it is to hear replies, and had better not hear streams.
        node: Of the topics.
    """

    def __init__(self, client: TestClient, node: str) -> None:
        self._client = client
        self._node = f"edged/{node}"
        self._clock = SystemClock()
        self._begin = 0
        self._name = ""
        self._sent = 0.0

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile()
        topics = ("-t", f"{self._node}/stream/+", "-t", f"{self._node}/reply/+")
        self._process = subprocess.Popen(
            ("mosquitto_sub", "-p", str(self._client.port), *topics, "-F", "%U %t %p"),
            stdout=self._file,
        )
        try:
            self._wait_subscribed()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """Of mosquitto_sub."""
        return self._process.pid

    def ask(self, prompt: str, tokens: int) -> Asked:
        """Ask greedily for `tokens` tokens and wait for the terminal reply.

        Raises:
            TimeoutError: No terminal reply came.
        """
        self.begin(prompt, tokens)
        self.over(ANSWER_TIMEOUT_S)
        return self.asked()

    def begin(self, prompt: str, tokens: int) -> None:
        """Send the request."""
        self._begin = self._size()
        self._name, payload = request(prompt, tokens)
        self._sent = time.monotonic()
        self._client.publish(f"{self._node}/request", payload, wait=False)

    def over(self, timeout_s: float) -> bool:
        """Whether the terminal reply came, after so many seconds at most."""
        try:
            self._client.wait_topic(f"{self._node}/reply/{self._name}", timeout_s)
        except TimeoutError:
            return False
        return True

    def asked(self) -> Asked:
        """The answer, whose end mosquitto_sub hears a little later than the client, or earlier.

        Raises:
            TimeoutError: It has no end.
        """
        topic = f"{self._node}/reply/{self._name}"
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            records = self._records()
            for end in records:
                if end.topic == topic:
                    return read(records, f"{self._node}/stream/{self._name}", self._sent, end)
            time.sleep(POLL_S)
        message = f"no message on {topic}"
        raise TimeoutError(message)

    def _wait_subscribed(self) -> None:
        probe = f"{self._node}/stream/probe"
        deadline = time.monotonic() + TIMEOUT_S
        while not any(record.topic == probe for record in self._records()):
            if time.monotonic() > deadline or self._process.poll() is not None:
                message = "mosquitto_sub hears nothing"
                raise TimeoutError(message)
            self._client.publish(probe, b"{}", qos=0)
            time.sleep(POLL_S)

    def _records(self) -> list[Record]:
        """All whole lines since the last question; the place where it writes is left alone."""
        ahead = self._clock.monotonic() - self._clock.wall()
        data = os.pread(self._file.fileno(), self._size() - self._begin, self._begin)
        return [_record(line, ahead) for line in data.split(b"\n")[:-1]]

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._file.close()


def _record(line: bytes, ahead: float) -> Record:
    at, topic, payload = line.split(b" ", 2)
    return Record(at=float(at) + ahead, topic=topic.decode(), payload=payload, qos=0, retain=False)
