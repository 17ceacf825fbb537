"""`edged ask`: one prompt, its answer streamed to the terminal."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from edged.client.link import decode_object
from edged.errors import EdgedError
from edged.files import read_bounded

if TYPE_CHECKING:
    from pathlib import Path

    from edged.client.link import Link
    from edged.mqtt.packet import Incoming
    from edged.mqtt.topics import Topics

# As many as the daemon takes.
MAX_SCHEMA_BYTES = 32768
MAX_LIKELY = 5  # choices in the line below the answer


class Asker:
    """Follows one request to its reply.

    Args:
        link: A connected link.
        topics: The topic tree of the node asked.
        request: The JSON request; it has an `id`.
        out: Where the answer goes.
        notes: Where the waiting and the timings are told; None keeps quiet.
    """

    def __init__(
        self, link: Link, topics: Topics, request: dict[str, Any], out: TextIO, notes: TextIO | None
    ) -> None:
        self._link = link
        self._topics = topics
        self._request = request
        self._out = out
        self._notes = notes
        self._shown = ""
        self._streaming = bool(request.get("stream", True))
        self._quiet_line = ""

    def run(self, timeout: float) -> dict[str, Any] | None:
        """Asks and waits.

        Returns:
            The terminal reply as decoded JSON, or None after `timeout` seconds.
        """
        request_id = str(self._request["id"])
        self._link.subscribe(
            self._topics.reply(request_id),
            self._topics.stream(request_id),
            self._topics.progress(request_id),
            self._topics.availability,
        )
        self._link.publish(self._topics.request, msgspec.json.encode(self._request))
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            message = self._link.receive(left)
            if message is not None and (reply := self._take(message, request_id)) is not None:
                return reply
        return None

    def cancel(self) -> None:
        """Tells the daemon that nobody waits any more."""
        self._link.publish(self._topics.cancel, str(self._request["id"]).encode())

    def _take(self, message: Incoming, request_id: str) -> dict[str, Any] | None:
        if message.topic == self._topics.reply(request_id):
            reply = decode_object(message.payload)
            self._finish(reply)
            return reply
        if message.topic == self._topics.stream(request_id):
            self._delta(decode_object(message.payload))
        elif message.topic == self._topics.progress(request_id):
            self._progress(decode_object(message.payload))
        elif message.topic == self._topics.availability and message.payload == b"offline":
            self._note("edged is offline; the broker keeps the prompt until it is back")
        return None

    def _delta(self, payload: dict[str, object]) -> None:
        delta = payload.get("delta")
        if payload.get("seq") == 0:
            self._shown = ""  # an answer that starts anew after a restart
        if isinstance(delta, str) and self._streaming:
            self._shown += delta
            self._out.write(delta)
            self._out.flush()

    def _progress(self, payload: dict[str, object]) -> None:
        if payload.get("phase") == "waiting":
            self._note(f"waiting: position {payload.get('position')}")
        elif payload.get("phase") == "prefill":
            planned = payload.get("planned_tokens")
            room = f", room for {planned:.0f} tokens" if isinstance(planned, int | float) else ""
            self._note(f"reading the prompt: {payload.get('percent')} %{room}")

    def _finish(self, reply: dict[str, Any]) -> None:
        text = answer(reply, self._shown)
        # Stream messages are QoS 0: what was lost on the way is in the reply.
        if text.startswith(self._shown):
            self._out.write(text[len(self._shown) :])
        elif text:
            self._out.write("\n" + text)
        if text:
            self._out.write("\n")
        self._out.flush()
        self._note(summary(reply))

    def _note(self, line: str) -> None:
        if self._notes is not None and line != self._quiet_line:
            self._quiet_line = line
            print(line, file=self._notes, flush=True)


def answer(reply: dict[str, Any], shown: str) -> str:
    """What the reply answers, as text.

    Args:
        reply: The terminal reply.
        shown: What was streamed; of JSON that is the model's own spelling, and stays.
    """
    if "choice" in reply:
        return reply["choice"] or "(none of them)"
    if "json" not in reply:
        return reply.get("text") or ""
    with contextlib.suppress(msgspec.DecodeError):
        if msgspec.json.decode(shown) == reply["json"]:
            return shown
    return msgspec.json.encode(reply["json"]).decode()


def read_schema(path: Path) -> dict[str, Any]:
    """A JSON Schema from a file.

    Raises:
        EdgedError: It cannot be read, or is no JSON object.
    """
    try:
        return msgspec.json.decode(read_bounded(path, MAX_SCHEMA_BYTES), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        message = f"{path}: no JSON Schema: {error}"
        raise EdgedError(message) from None


def summary(reply: dict[str, Any]) -> str:
    """One line about a reply: its rates, or why there is no answer."""
    error = reply.get("error")
    if error:
        again = error.get("retry_after_s")
        hint = f" (try again in {again:.0f} s)" if again is not None else ""
        return f"{reply.get('status')}: {error.get('code')}: {error.get('message')}{hint}"
    usage, timings = reply.get("usage") or {}, reply.get("timings") or {}
    likely = sorted((reply.get("probabilities") or {}).items(), key=lambda pair: -pair[1])
    parts = [f"{choice} {probability:.1%}" for choice, probability in likely[:MAX_LIKELY]]
    if not parts:
        parts = [f"{usage.get('completion_tokens', 0)} tokens"]
    if timings.get("predicted_per_second"):
        parts.append(f"{timings['predicted_per_second']:.1f} tok/s")
    if timings.get("ttft_ms") is not None:
        parts.append(f"first token after {timings['ttft_ms'] / 1000:.2f} s")
    if (session := reply.get("session")) is not None:
        parts.append(f"behind {session.get('turns')} earlier turns")
    parts.append(f"{reply.get('variant')}")
    parts.append(f"{reply.get('finish_reason')}")
    return "[" + ", ".join(parts) + "]"


def ask(
    link: Link, topics: Topics, request: dict[str, Any], *, timeout: float, as_json: bool
) -> int:
    """Runs `edged ask`.

    Args:
        link: A connected link.
        topics: The topic tree of the node asked.
        request: The JSON request; it has an `id`.
        timeout: Seconds to wait for the terminal reply.
        as_json: True prints the reply as one JSON line and nothing else.

    Returns:
        0 where the reply's status is `ok`, else 1.
    """
    if as_json:
        asker = Asker(link, topics, {**request, "stream": False}, io.StringIO(), None)
    else:
        asker = Asker(link, topics, request, sys.stdout, sys.stderr)
    try:
        reply = asker.run(timeout)
    except KeyboardInterrupt:
        asker.cancel()
        return 1
    if reply is None:
        asker.cancel()
        print(f"no reply within {timeout:g} s; the request is cancelled", file=sys.stderr)
        return 1
    if as_json:
        print(msgspec.json.encode(reply).decode())
    return 0 if reply.get("status") == "ok" else 1
