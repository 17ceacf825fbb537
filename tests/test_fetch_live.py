"""From a catalogue to a better model: the daemon, a hub on loopback, and files of the real family.

Predictions come from a calibration that is made up, because a real one takes a minute; headers,
downloads, hashes, the child and its measurements are real.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edged.engine.build import build_id
from edged.models import family
from edged.models.calibrationfile import save_calibration
from edged.models.catalogtext import FamilyText
from edged.models.device import Roots, probe
from edged.models.remote import FIRST_BYTES
from edged.models.store import QUARANTINE, Store
from tests.models.test_predict import known
from tests.rig.broker import Broker
from tests.rig.client import TestClient
from tests.rig.daemon import DaemonProcess
from tests.rig.hub import Hub
from tests.test_selection_live import candidate, chooses, timed, wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

BEST, NEXT = "pocket-Q8_0", "pocket-Q6_K"
CUT_AT = 3 << 20  # behind what a header takes, and within each of the files
PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two files of the pocket family, by name."""
    recorded = family.figures()
    two = tuple(each for each in recorded.variants if each.file in {f"{BEST}.gguf", f"{NEXT}.gguf"})
    only = FamilyText(id=recorded.id, variants=two)
    made = family.make(tmp_path_factory.mktemp("family"), family=only)
    return {path.name: path.read_bytes() for path in made}


@pytest.fixture
def rig(files: dict[str, bytes]) -> Iterator[Hub]:
    with Hub().running() as running:
        running.files.update(files)
        yield running


def catalogue(folder: Path, files: dict[str, bytes]) -> None:
    """What an owner would write of these files: where they are, and how good."""
    folder.mkdir()
    variants = [
        {
            "file": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "kind": "KQ",
            "quality": {"percent": 99.9 if name.startswith(BEST) else 90.0, "source": "this test"},
        }
        for name, data in files.items()
    ]
    one = {"id": "far", "name": "Far", "repo": "owner/name", "variants": variants}
    text = msgspec.json.encode({"order": ["far"], "families": [one]})
    (folder / "far.yaml").write_bytes(text)


def house(broker: Broker, rig: Hub, folder: Path, files: dict[str, bytes]) -> DaemonProcess:
    """A daemon with an empty models directory and a calibration of this very board."""
    catalogue(folder / "catalogues", files)
    models = folder / "models"
    models.mkdir()
    config = chooses(
        models,
        # Of the packaged catalogue only the pocket model has room beside the family.
        memory_mib=600,
        catalogue_dir=str(folder / "catalogues"),
        calibrate=True,
        download={"endpoint": rig.endpoint},
    )
    daemon = DaemonProcess(broker.port, config=config)
    board = probe(Roots(models=models)).fingerprint(build_id() or "unknown")
    save_calibration(daemon.state, known(kinds=("q8_0", "q6_K", "f16", "f32"), board=board))
    return daemon


def ask_until(client: TestClient, node: str, variant: str) -> list[dict[str, Any]]:
    """Prompts one after the other until that variant answers; all the replies."""
    replies: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_S
    while not replies or replies[-1].get("variant") != variant:
        assert time.monotonic() < deadline, [reply.get("variant") for reply in replies]
        replies.append(client.ask(node, "Is the light on?", max_tokens=8, timeout=PATIENCE_S))
        time.sleep(0.05)
    return replies


def progress(client: TestClient, node: str, variant: str) -> list[dict[str, Any]]:
    told = [record.json() for record in client.on(f"edged/{node}/progress/download")]
    return [each for each in told if each["variant"] == variant]


def test_a_better_file_is_predicted_fetched_in_two_pieces_proven_and_swapped_to(
    tmp_path: Path, rig: Hub, files: dict[str, bytes]
) -> None:
    rig.cut_after = CUT_AT
    rig.misbehave("cdn", "cut", 3)  # a header is shorter than that: two of them, and the download
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        house(broker, rig, tmp_path, files) as daemon,
    ):
        node = daemon.node
        client.subscribe(f"edged/{node}/#")
        promised = wait(client, node, lambda found: found["chosen"] == BEST)
        assert promised["serves"] == "pocket"
        client.wait(lambda record: record.topic.endswith("progress/download"), PATIENCE_S)
        replies = ask_until(client, node, BEST)
        proven = wait(client, node, lambda found: timed(found, BEST))
        selections = [record.json() for record in client.on(f"edged/{node}/selection")]
        steps = progress(client, node, BEST)
        told = daemon.stderr()

        # Each prompt was answered, by the one or by the other.
        assert {reply["status"] for reply in replies} == {"ok"}
        served = [reply["variant"] for reply in replies]
        assert served == sorted(served, key=[*dict.fromkeys(served)].index)
        assert set(served) <= {"pocket", BEST}

        # Predicted by its header before anything else of it was here, then had, then proven.
        speeds = [
            (candidate(found, BEST)["on_disk"], candidate(found, BEST)["speeds"][0]["source"])
            for found in selections
            if candidate(found, BEST)["speeds"]
        ]
        stages = list(dict.fromkeys(speeds))
        assert stages == [(False, "predicted"), (True, "predicted"), (True, "measured")]
        assert candidate(selections[-1], BEST)["rule"] == "chosen"
        assert (proven["serves"], proven["status"]) == (BEST, "ok")
        assert candidate(proven, NEXT)["need_from"] == "header"

        # The second piece began where the first one had ended.
        starts = [seen.start for seen in rig.asked("cdn") if f"{BEST}.gguf" in seen.path]
        assert starts == [0, 0, CUT_AT]
        done = [each["done"] for each in steps]
        assert done == sorted(done)
        assert "waiting" in {each["state"] for each in steps}
        assert rig.sent < 2 * FIRST_BYTES + len(files[f"{BEST}.gguf"]) + (1 << 20)
        assert (tmp_path / "models" / f"{BEST}.gguf").read_bytes() == files[f"{BEST}.gguf"]
        assert "model fetched" in told
        assert f"variant={BEST}" in told


def test_a_file_of_a_wrong_hash_is_put_aside_and_the_next_one_serves(
    tmp_path: Path, rig: Hub, files: dict[str, bytes]
) -> None:
    name = f"{BEST}.gguf"
    good = bytearray(files[name])
    good[len(good) // 2] ^= 1
    with (
        Broker() as broker,
        TestClient(broker.port) as client,
        house(broker, rig, tmp_path, files) as daemon,
    ):
        # One bit is another than the catalogue's hash says, and the server says no hash.
        rig.files[name] = bytes(good)
        rig.misbehave("hub", "plain")
        node = daemon.node
        client.subscribe(f"edged/{node}/#")
        deadline = time.monotonic() + PATIENCE_S
        while not (marks := Store(tmp_path / "models").quarantined()):
            assert time.monotonic() < deadline, daemon.stderr()[-4000:]
            time.sleep(0.05)
        (mark,) = marks
        assert (mark.variant, mark.code) == (BEST, "bad_hash")
        found = wait(client, node, lambda found: timed(found, NEXT))
        reply = client.ask(node, "Is the light on?", max_tokens=8)
    assert (found["serves"], found["chosen"]) == (NEXT, NEXT)
    dropped = candidate(found, BEST)
    assert dropped["rule"] == "quarantined"
    assert "sha256" in dropped["reason"]
    assert (reply["status"], reply["variant"]) == ("ok", NEXT)
    assert not (tmp_path / "models" / name).exists()
    assert list((tmp_path / "models" / QUARANTINE).iterdir())
