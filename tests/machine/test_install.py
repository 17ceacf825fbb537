"""apt install from the signed repository, and what stands there then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.machine.box import Box

MAX_START_S = 30  # from `apt install` to READY with the pocket model
MAX_EXPOSURE = 1.5


def test_it_is_up_and_answers(bare: Box) -> None:
    before = time.monotonic()
    bare.apt("install", "edged")
    assert bare.show("ActiveState") == "active", bare.sh("journalctl -u edged")
    assert time.monotonic() - before < MAX_START_S
    reply = bare.ask("Is the kitchen warm?", "first")
    assert reply["status"] == "ok"
    assert reply["variant"] == "pocket"
    assert reply["text"]


def test_the_service_is_shut_in_while_it_decodes(box: Box) -> None:
    table = box.sh("systemd-analyze security --no-pager edged")
    score = float(table.rsplit("edged.service:", 1)[1].split()[0])
    assert score <= MAX_EXPOSURE, table


def test_the_service_is_of_the_groups_that_own_the_boards_devices(box: Box) -> None:
    status = box.sh(f"cat /proc/{box.show('MainPID')}/status")
    mine = set(status.split("Groups:", 1)[1].split("\n", 1)[0].split())
    owners = box.sh("getent group video gpio | cut -d: -f3").split()
    assert set(owners) <= mine


def test_the_status_line_lives(box: Box) -> None:
    box.until(box.ready)
    assert "pocket" in box.show("StatusText")


def test_the_journal_has_fields_and_no_prompt(box: Box) -> None:
    box.ask("Is the heliotrope warm?", "told", max_tokens=8)
    (record,) = box.journal("EDGED_REQUEST_ID=told")
    assert record["EDGED_STATUS"] == "ok"
    assert record["EDGED_VARIANT"] == "pocket"
    for name in ("EDGED_TPS", "EDGED_PP_TPS", "EDGED_TTFT_MS", "EDGED_QUEUE_MS"):
        assert float(record[name]) >= 0
    assert "heliotrope" not in box.sh("journalctl")


def test_the_catalogue_explains(box: Box) -> None:
    told = box.sh("journalctl -x -u edged")
    assert "The model pocket is loaded and has answered a test of its own." in told


def test_pages_and_words_are_there(box: Box) -> None:
    # the tree has no man: what it would read must be there
    box.sh("zgrep -q 'mqtt.host' /usr/share/man/man5/edged.yaml.5.gz")
    box.sh("zgrep -q 'edged run' /usr/share/man/man1/edged.1.gz")
    box.sh("bash -n /usr/share/bash-completion/completions/edged")


def test_modules_are_not_looked_for_where_one_stands(box: Box) -> None:
    box.sh("mkdir -p /tmp/trap && echo 'raise SystemExit(9)' > /tmp/trap/msgspec.py")
    assert box.sh("cd /tmp/trap && edged --version").startswith("edged ")


def test_the_best_backend_for_this_processor_is_loaded(box: Box) -> None:
    engine = box.sh("pgrep -f edged.engine.worker").split()[0]
    loaded = box.sh(f"grep -o 'libggml-cpu-.*so' /proc/{engine}/maps | sort -u").split()
    flags = box.sh("cat /proc/cpuinfo")
    fast = {"x86_64": ("avx2", "haswell"), "aarch64": ("asimddp", "armv8.2_2")}
    feature, name = fast[box.sh("uname -m").strip()]
    if feature in flags:
        assert loaded == [f"libggml-cpu-{name}.so"]
    else:
        assert len(loaded) == 1
