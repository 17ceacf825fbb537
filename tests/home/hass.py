"""The real Home Assistant as a process, used as its own pages use it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml

from tests.home.trees import PATH, enter
from tests.home.websocket import WebSocket
from tests.rig.broker import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

START_TIMEOUT_S = 180.0  # its first start on a busy machine
STOP_TIMEOUT_S = 60.0
PATIENCE_S = 60.0
POLL_S = 0.1
MAX_LOG = 8000
CLIENT = {"client_id": "http://127.0.0.1/"}
OWNER = {"name": "Owner", "username": "owner", "password": "of the house", "language": "en"}
RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:)", re.MULTILINE)
WRONG = re.compile(r"\S+ \S+ (WARNING|ERROR|CRITICAL) ")
# That of this tree: it fetches nothing by itself, and does without two optional libraries.
OF_THE_TREE = ("Skipping pip installation", "[aiohttp_fast_zlib]")


class HomeAssistant:
    """`with HomeAssistant(tree, broker.port) as house:` returns when it runs and is at the broker.

    Args:
        tree: With the program in it.
        broker: Port of the broker on 127.0.0.1.
        configuration: Further sections of configuration.yaml.
        automations: What automations.yaml holds.
        blueprints: A folder of automation blueprints of ours.
    """

    def __init__(
        self,
        tree: Path,
        broker: int,
        *,
        configuration: Mapping[str, Any] | None = None,
        automations: list[dict[str, Any]] | None = None,
        blueprints: Path | None = None,
    ) -> None:
        self._tree = tree
        self._broker = broker
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="edged-house-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=PATIENCE_S)
        self._token = ""
        self._write(configuration or {}, automations or [])
        if blueprints is not None:
            shutil.copytree(blueprints, self._folder / "blueprints/automation/edged")

    def __enter__(self) -> Self:
        self.start()
        self._move_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(f"Home Assistant's log:\n{self.log()[-MAX_LOG:]}")
        self.stop()
        self._http.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Return when it says that it runs."""
        command = enter(self._tree, "/srv/house/bin/hass", "--config", "/srv/config", "--skip-pip")
        with (self._folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8", "CONFIG": str(self._folder)},  # noqa: S108 - its own
            )
        self.until(self._answers, "an answer", START_TIMEOUT_S)
        if self._token:
            self.until(self.runs, "it runs", START_TIMEOUT_S)

    def stop(self) -> None:
        """As its own service does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def runs(self) -> bool:
        """Whether it has started, automations included."""
        return bool(self.get("config")["state"] == "RUNNING")

    def get(self, path: str) -> Any:
        """What its API tells; None if there is no such thing."""
        answer = self._http.get(f"/api/{path}")
        return None if answer.status_code == httpx.codes.NOT_FOUND else _good(answer).json()

    def states(self) -> dict[str, dict[str, Any]]:
        """Every state by entity id."""
        return {each["entity_id"]: each for each in self.get("states")}

    def state(self, entity: str) -> str | None:
        """An entity's state; None if there is no such entity."""
        found = self.get(f"states/{entity}")
        return None if found is None else str(found["state"])

    def call(self, action: str, **data: Any) -> None:
        """Perform an action and wait for its end."""
        _good(self._http.post(f"/api/services/{action.replace('.', '/')}", json=data))

    def render(self, template: str) -> str:
        """What a template says."""
        return _good(self._http.post("/api/template", json={"template": template})).text

    def ask(self, kind: str, **data: Any) -> Any:
        """One command of its WebSocket API.

        Raises:
            AssertionError: It was not done.
        """
        with WebSocket(self._port, "/api/websocket") as line:
            line.receive()
            line.send({"type": "auth", "access_token": self._token})
            assert line.receive()["type"] == "auth_ok"
            line.send({"id": 1, "type": kind, **data})
            answer = line.receive()
            assert answer["success"], answer
            return answer["result"]

    def entities(self) -> dict[str, dict[str, Any]]:
        """What its registry has of MQTT, by unique_id, shown or not."""
        listed = self.ask("config/entity_registry/list")
        return {each["unique_id"]: each for each in listed if each["platform"] == "mqtt"}

    def devices(self) -> list[dict[str, Any]]:
        """The devices of MQTT."""
        listed = self.ask("config/device_registry/list")
        return [each for each in listed if any(at[0] == "mqtt" for at in each["identifiers"])]

    def places(self) -> set[str]:
        """The topics on which it was told of those that are shown."""
        told = [self.ask("mqtt/device/debug_info", device_id=each["id"]) for each in self.devices()]
        return {entity["discovery_data"]["topic"] for each in told for entity in each["entities"]}

    def until(self, holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + patience_s
        while not holds():
            assert self._process is not None
            assert self._process.poll() is None, f"it ended:\n{self.log()[-MAX_LOG:]}"
            assert time.monotonic() < deadline, f"{what} did not come true"
            time.sleep(POLL_S)

    def log(self) -> str:
        """All that it wrote so far."""
        return (self._folder / "console").read_text(errors="replace")

    def complaints(self) -> list[str]:
        """Its warnings and errors, each with the lines that belong to it."""
        found = [each for each in RECORD.split(self.log()) if WRONG.match(each)]
        return [each for each in found if not any(part in each for part in OF_THE_TREE)]

    def _answers(self) -> bool:
        try:
            return self._http.get("/manifest.json").is_success
        except httpx.TransportError:
            return False

    def _move_in(self) -> None:
        """The first owner and the broker, by the pages one sees first."""
        owner = _good(self._http.post("/api/onboarding/users", json={**OWNER, **CLIENT})).json()
        grant = {"grant_type": "authorization_code", "code": owner["auth_code"], **CLIENT}
        self._token = _good(self._http.post("/auth/token", data=grant)).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {self._token}"
        self.until(self.runs, "it runs", START_TIMEOUT_S)
        flows = "/api/config/config_entries/flow"
        flow = _good(self._http.post(flows, json={"handler": "mqtt"})).json()
        broker = {"broker": "127.0.0.1", "port": self._broker}
        made = _good(self._http.post(f"{flows}/{flow['flow_id']}", json=broker)).json()
        assert made["type"] == "create_entry", made

    def _write(self, configuration: Mapping[str, Any], automations: list[dict[str, Any]]) -> None:
        whole = {
            "homeassistant": {"name": "Home", "time_zone": "UTC", "unit_system": "metric"},
            "http": {"server_host": "127.0.0.1", "server_port": self._port},
            "logger": {"default": "warning"},
            **configuration,
            "automation": automations,
        }
        (self._folder / "configuration.yaml").write_text(yaml.safe_dump(whole))


def _good(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer
