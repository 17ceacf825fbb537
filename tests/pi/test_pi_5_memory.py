"""The kernel kills the engine for its memory: the daemon stays, and one answer is lost and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.pi.guest import Guest

LONG = {"temperature": 1.5, "seed": 3, "max_tokens": 400, "stream": True}
NAMES = [f"memory-{number}" for number in range(4)]
LISTEN = "mosquitto_sub -c -i memory -q 1 -t 'edged/edged/reply/+'"
# The kernel only counts where there was a limit before, and for a service that runs already systemd
# lets it count some time after it was asked for one.
ONE_STREAM = """
sed -i 's/^  #streams: 0/  streams: 1/' /etc/edged/edged.yaml
mkdir -p /run/systemd/system/edged.service.d
printf '[Service]\\nMemoryMax=3G\\n' > /run/systemd/system/edged.service.d/memory.conf
systemctl daemon-reload
systemctl restart edged
"""
# Halfway between what the daemon and what both hold: the larger of them has to go.
LIMIT = """
held() { sed -n 's/^RssAnon:[^0-9]*\\([0-9]*\\) kB/\\1/p' "/proc/$1/status"; }
group=/sys/fs/cgroup$(systemctl show -p ControlGroup --value edged)
until [ -e "$group/memory.events" ]; do sleep 0.1; done
killed() { grep -qx 'oom_kill [1-9][0-9]*' "$group/memory.events"; }
daemon=$(systemctl show -p MainPID --value edged)
engine=$(pgrep -P "$daemon" -f edged.engine.worker)
limit="$(( $(held "$daemon") + $(held "$engine") / 2 ))K"
"""
# As MemoryMax= writes it, but at once: a whole answer is over before an emulated systemctl is.
KILL = """
grep -qm 1 delta < <(mosquitto_sub -t 'edged/edged/stream/+' -W 120)
echo "$limit" > "$group/memory.max"
until killed; do sleep 0.1; done
echo max > "$group/memory.max"
"""


def publish(*names: str) -> str:
    lines = [json.dumps({"id": name, "prompt": "Tell me of the house.", **LONG}) for name in names]
    text = "\n".join(lines)
    return f"mosquitto_pub -q 1 -l -t edged/edged/request <<'END'\n{text}\nEND\n"


def collect(guest: Guest, names: list[str]) -> list[dict[str, Any]]:
    """All replies that came while we waited for these."""
    seen: list[dict[str, Any]] = []

    def all_there() -> bool:
        lines = guest.sh(f"{LISTEN} -W 5 || true").splitlines()
        seen.extend(json.loads(line) for line in lines)
        return set(names) <= {reply["id"] for reply in seen}

    guest.until(all_there)
    return seen


def test_the_engine_goes_and_the_daemon_stays(pi_5: Guest) -> None:
    pi_5.sh(ONE_STREAM)
    pi_5.until(pi_5.ready)
    daemon = pi_5.show("MainPID")
    pi_5.sh(f"{LISTEN} -E\n{LIMIT}{publish(*NAMES)}{KILL}")
    replies = collect(pi_5, NAMES)
    assert sorted(reply["id"] for reply in replies) == NAMES
    lost = [reply for reply in replies if reply["status"] != "ok"]
    assert [(reply["status"], reply["error"]["code"]) for reply in lost] == [
        ("failed", "engine_died")
    ]
    assert pi_5.show("MainPID") == daemon
    assert pi_5.ask("Is the kitchen warm?", "after", max_tokens=8)["status"] == "ok"


def test_the_journal_names_it(pi_5: Guest) -> None:
    assert pi_5.journal("EDGED_SIGNAL=SIGKILL")
    assert "killed by the OOM killer" in pi_5.sh("journalctl -u edged")
