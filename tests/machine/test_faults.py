"""What breaks on a real machine, and that the service comes back."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.machine.box import Box

REPLIES = "edged/edged/reply/+"
LONG = {"prompt": "Tell me about the house.", "temperature": 1.5, "seed": 3, "max_tokens": 400}


def publish(box: Box, names: list[str]) -> None:
    """Ask without waiting; a witness with a session of its own sees every reply, once each."""
    box.sh(f"mosquitto_sub -c -i witness -q 1 -t '{REPLIES}' -W 1 || true")
    lines = "\n".join(json.dumps({"id": name, **LONG}) for name in names)
    box.sh(f"printf '%s\\n' {shlex.quote(lines)} | mosquitto_pub -q 1 -l -t edged/edged/request")


def collect(box: Box, names: list[str]) -> list[str]:
    """The ids of all replies that came, in order."""
    script = f"mosquitto_sub -c -i witness -q 1 -t '{REPLIES}' -F '%t' -W 4 || true"
    seen: list[str] = []

    def all_there() -> bool:
        seen.extend(line.rsplit("/", 1)[1] for line in box.sh(script).splitlines())
        return set(names) <= set(seen)

    box.until(all_there, 120)
    return seen


def test_a_killed_daemon_is_started_anew_and_owes_nothing(box: Box) -> None:
    names = [f"kill-{number}" for number in range(12)]
    publish(box, names)
    before = box.show("MainPID")
    box.sh("systemctl kill -s KILL --kill-whom=main edged")
    box.until(lambda: box.show("MainPID") not in {before, "0"} and box.ready())
    assert sorted(collect(box, names)) == sorted(names)


def test_a_killed_engine_costs_at_most_one_answer(box: Box) -> None:
    daemon = box.show("MainPID")
    box.sh("pkill -KILL -f edged.engine.worker")
    box.until(lambda: bool(box.journal("EDGED_SIGNAL=SIGKILL")) and box.ready())
    assert box.ask("Is the kitchen warm?", "after", max_tokens=8)["status"] == "ok"
    assert box.show("MainPID") == daemon


def test_a_daemon_that_stands_still_is_ended_by_the_watchdog(box: Box) -> None:
    drop_in = "/run/systemd/system/edged.service.d"
    box.sh(f"mkdir -p {drop_in} && printf '[Service]\\nWatchdogSec=6\\n' > {drop_in}/test.conf")
    box.sh("systemctl daemon-reload && systemctl restart edged")
    before = box.show("MainPID")
    box.sh(f"kill -STOP {before}")
    box.until(lambda: "Watchdog timeout" in box.sh("journalctl -u edged"))
    box.until(lambda: box.show("MainPID") not in {before, "0"} and box.ready())


def test_a_reboot_with_prompts_in_flight_loses_none(box: Box) -> None:
    names = [f"boot-{number}" for number in range(12)]
    publish(box, names)
    box.reboot()
    box.until(box.ready)
    assert sorted(collect(box, names)) == sorted(names)


def test_a_full_disk_is_told_and_prompts_are_still_answered(box: Box) -> None:
    box.sh(
        "systemctl stop edged\n"
        "mount -t tmpfs -o size=64k,mode=700,uid=edged,gid=edged tmpfs /var/lib/edged\n"
        "dd if=/dev/zero of=/var/lib/edged/full bs=1k 2>/dev/null || true\n"
        "systemctl start edged"
    )
    box.until(lambda: "ledger lost" in box.sh("journalctl -u edged"))
    assert box.ask("Is the kitchen warm?", "full", max_tokens=8)["status"] == "ok"
    box.sh("systemctl stop edged && umount /var/lib/edged && systemctl start edged")
    box.until(box.ready)
