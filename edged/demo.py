"""`edged demo`: a private broker, the daemon with the pocket model, a question, and a choice.

Everything lives in a temporary directory and on a free loopback port, and is gone afterwards.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from edged import demo_choice
from edged.client import render
from edged.client.ask import Asker
from edged.client.status import Watcher
from edged.errors import EdgedError
from edged.files import write_atomic
from edged.models import family
from edged.mqtt.client import Client
from edged.mqtt.topics import Topics
from edged.settings import EngineConfig, MqttConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NODE = "demo"
PROMPT = "Tell me about the house."
MODELS, CATALOGUES = "models", "catalogues"  # folders of the demo
BROKER_S = 10.0  # a mosquitto is up within a tenth of a second; this is for a busy board
READY_S = 120.0  # the pocket model takes about one second; this is for a slow card
ANSWER_S = 120.0
STOP_S = 10.0


def run(prompt: str | None, *, keep: bool) -> int:
    """Runs the demo.

    Args:
        prompt: What to ask; None asks the demo's own question.
        keep: True stays up afterwards until Ctrl-C, to be played with.

    Returns:
        0 when real answers came and the choice of a file followed the target.

    Raises:
        EdgedError: When mosquitto is not installed or something does not come up.
    """
    console = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edged-demo-")))
        port = stack.enter_context(_broker(home))
        console.print(f"a private mosquitto listens on 127.0.0.1:{port}")
        config = _write_config(home, port)
        command = [sys.executable, "-m", "edged.cli", "run", "--config", str(config)]
        daemon = stack.enter_context(_process(command, home / "edged.log"))
        console.print("edged is starting with the pocket model")
        topics = Topics(NODE, ())
        watcher = Watcher(_connect(stack, port), topics)
        _wait_ready(watcher, daemon, home / "edged.log")
        answered = _ask(console, _connect(stack, port), topics, "demo-1", prompt or PROMPT)
        _show(console, watcher)
        link = _connect(stack, port)
        chosen = answered and _choose(console, link, topics, home, daemon)
        again = _ask(console, _connect(stack, port), topics, "demo-2", prompt or PROMPT)
        if keep:
            _stay(console, port, daemon)
    return 0 if answered and chosen and again else 1


def _choose(
    console: Console, link: Client, topics: Topics, home: Path, daemon: subprocess.Popen[bytes]
) -> bool:
    """The second scene; whether the choice changed."""
    demo_choice.make_family(console, home / MODELS, home / CATALOGUES)
    scene = demo_choice.Scene(console, link, topics, lambda: daemon.poll() is None)
    return scene.run(EngineConfig().target_tps) > 0


def _ask(console: Console, link: Client, topics: Topics, name: str, prompt: str) -> bool:
    console.print(f"\n[bold]{prompt}[/bold]")
    request = {"id": name, "prompt": prompt, "temperature": 0}
    reply = Asker(link, topics, request, sys.stdout, sys.stderr).run(ANSWER_S)
    return reply is not None and reply.get("status") == "ok"


def _show(console: Console, watcher: Watcher) -> None:
    for _ in watcher.updates(2.0):
        if watcher.state.get("status") == "ready" and watcher.state.get("requests"):
            break
    console.print()
    console.print(render.table(NODE, watcher.availability, watcher.state, watcher.info))


def _stay(console: Console, port: int, daemon: subprocess.Popen[bytes]) -> None:
    console.print(f'\nask more: edged ask --port {port} --node {NODE} "..."; Ctrl-C ends the demo')
    with contextlib.suppress(KeyboardInterrupt):
        daemon.wait()


def _connect(stack: contextlib.ExitStack, port: int) -> Client:
    return stack.enter_context(Client(MqttConfig(host="127.0.0.1", port=port), None))


def _wait_ready(watcher: Watcher, daemon: subprocess.Popen[bytes], log: Path) -> None:
    watcher.subscribe()
    deadline = time.monotonic() + READY_S
    while watcher.state.get("status") != "ready":
        for _ in watcher.updates(0.5):
            break
        if daemon.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            message = f"the daemon did not become ready:\n{tail}"
            raise EdgedError(message)


def _write_config(home: Path, port: int) -> Path:
    (home / CATALOGUES).mkdir()
    lines = (
        f"node: {NODE}",
        f"mqtt: {{host: 127.0.0.1, port: {port}}}",
        f"serving: {{state_dir: {home / 'state'}}}",
        # a model this small is through before a second thread has met the first
        f"engine: {{cache_dir: {home / 'cache'}, threads: 1, streams: 1}}",
        "telemetry: {idle_interval_s: 1}",  # it looks whether it may measure as often
        "model:",
        f"  directory: {home / MODELS}",
        f"  catalogue_dir: {home / CATALOGUES}",
        f"  families: [{family.figures().id}]",
        "  calibrate: false",
        "  download: {enabled: false}",
        "",
    )
    path = home / "edged.yaml"
    write_atomic(path, "\n".join(lines).encode())
    return path


@contextlib.contextmanager
def _broker(home: Path) -> Iterator[int]:
    # Debian keeps daemons in /usr/sbin, which is not on every user's PATH.
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        message = "mosquitto is not installed: apt install mosquitto"
        raise EdgedError(message)
    port = _free_port()
    config = home / "mosquitto.conf"
    write_atomic(config, f"listener {port} 127.0.0.1\nallow_anonymous true\n".encode())
    with _process([program, "-c", str(config)], home / "mosquitto.log"):
        _wait_listening(port)
        yield port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_listening(port: int) -> None:
    deadline = time.monotonic() + BROKER_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if time.monotonic() > deadline:
                message = f"mosquitto does not listen on port {port}: {error}"
                raise EdgedError(message) from error
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
