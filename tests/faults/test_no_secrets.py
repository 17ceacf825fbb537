"""No listening socket, nothing secret in the child, nothing private in the log."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.faults.kit import NODE, REAL, engine, reply_of, streaming, text_file, verdict
from tests.rig.broker import Broker, BrokerOptions
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess, merge
from tests.rig.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.process, pytest.mark.fault]

PASSWORD = "hunter2-correct-horse"  # noqa: S105 - a test's own
MAY_INHERIT = {
    "GLIBC_TUNABLES",
    "LANG",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "LLAMA_CPP_LIB_PATH",
    "PYTHONPATH",
}
FAKE: Mapping[str, Any] = {"ms_per_token": 20, "answer": "the answer is quince"}
PROMPT = "a question about medlars"


@pytest.mark.parametrize("script", [FAKE, None], ids=["fake", "real"])
def test_nothing_listens_and_nothing_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Mapping[str, Any] | None
) -> None:
    monkeypatch.setenv("EDGED_TEST_SECRET", PASSWORD)
    options = BrokerOptions(users={"node": PASSWORD})
    secret = text_file(tmp_path, "password", PASSWORD + "\n")
    config = merge(REAL if script is None else {}, {"mqtt": {"username": "node"}})
    config["mqtt"]["password_file"] = str(secret)
    with (
        Broker(options) as broker,
        Witness(broker.port, username="node", password=PASSWORD) as witness,
        TestClient(broker.port, username="node", password=PASSWORD) as client,
    ):
        client.subscribe(f"edged/{NODE}/reply/+", f"edged/{NODE}/stream/+")
        daemon = DaemonProcess(broker.port, script=script, config=config)
        daemon.patient = False
        with daemon:
            witness.wait(lambda r: r.payload == b"online")
            client.send(NODE, PROMPT, id="private", max_tokens=200)
            streaming(client, "private")
            child = engine(daemon)
            parent = psutil.Process(daemon.pid)
            assert _sockets(parent) == ["ESTABLISHED"]  # the broker's line
            assert _sockets(child) == []
            names = {name for name in child.environ() if not name.startswith(("OMP_", "GOMP_"))}
            assert names <= MAY_INHERIT
            assert PASSWORD not in " ".join(parent.cmdline() + child.cmdline())
            assert not any(PASSWORD.encode() in part for part in _memory(child.pid))
            reply = reply_of(client, "private")
            client.publish(f"edged/{NODE}/request", f'{{"prompt": "{PROMPT}", "promt": 1}}')
            client.publish(f"edged/{NODE}/request", f'{{"prompt": "{PROMPT}"')
            client.publish(f"edged/{NODE}/cancel", PROMPT)
            assert daemon.terminate() == 0
            log = daemon.stderr()
            assert "request_id=private" in log
            for private in (PASSWORD, "medlars", *reply["text"].split(". ")):
                assert len(private) < 6 or private not in log, private
            assert PASSWORD.encode() not in b"".join(r.payload for r in witness.history())
            assert verdict(daemon, witness.history(), asked=["private"]) == []
            for path in daemon.state.iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def _sockets(process: psutil.Process) -> list[str]:
    """The state of each internet socket; a UDP one has `NONE`."""
    return [str(line.status) for line in process.net_connections(kind="inet")]


def _memory(pid: int) -> Iterator[bytes]:
    """All that can be read of a process's own writable memory."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps.splitlines():
            span, rights, *_ = line.split()
            begin, end = (int(edge, 16) for edge in span.split("-"))
            if rights.startswith("rw") and end - begin < 2**28:
                try:
                    memory.seek(begin)
                    yield memory.read(end - begin)
                except OSError:
                    continue
