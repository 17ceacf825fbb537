"""What tests ask of a booted Debian with the package in it, be it a container or emulated."""

from __future__ import annotations

import json
import shlex
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable


class Machine(ABC):
    """A booted machine.

    Args:
        patience_s: For what takes a second or two where nothing else runs.
    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s

    @abstractmethod
    def run(self, script: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a script of bash within the machine."""

    @abstractmethod
    def console(self) -> str:
        """The last that it wrote to its console."""

    def sh(self, script: str, *, check: bool = True, timeout: float | None = None) -> str:
        """What a script prints on standard output, within the machine."""
        done = self.run(script, timeout or self.patience_s)
        assert not check or done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apt(self, *words: str) -> str:
        """Run apt-get, saying yes."""
        return self.sh(f"apt-get -q -y {shlex.join(words)} 2>&1", timeout=300)

    def show(self, what: str) -> str:
        """A property of the service."""
        return self.sh(f"systemctl show -p {what} --value edged").strip()

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """The service's records that match."""
        lines = self.sh(f"journalctl -u edged -o json {shlex.join(matches)}").splitlines()
        return [json.loads(line) for line in lines]

    def ask(self, prompt: str, name: str, **options: object) -> dict[str, Any]:
        """Publish a prompt and wait for its reply, to which a session listens from before on."""
        payload = json.dumps({"id": name, "prompt": prompt, "temperature": 0, **options})
        listen = f"mosquitto_sub -c -i ask-{name} -q 1 -t edged/edged/reply/{name}"
        script = (
            f"{listen} -E\n"
            f"mosquitto_pub -q 1 -t edged/edged/request -m {shlex.quote(payload)}\n"
            f"{listen} -C 1 -W {self.patience_s:.0f}"
        )
        reply: dict[str, Any] = json.loads(self.sh(script, timeout=2 * self.patience_s))
        return reply

    def until(self, holds: Callable[[], bool], patience_s: float | None = None) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + (patience_s or self.patience_s)
        while not holds():
            assert time.monotonic() < deadline, f"{holds} did not come true\n{self.console()}"
            time.sleep(0.2)

    def ready(self) -> bool:
        """Whether the service is up and its model answers."""
        return self.show("ActiveState") == "active" and "ready" in self.show("StatusText")
