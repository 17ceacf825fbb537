"""systemctl reload: the file is read again, the manager waits for it, and nothing is disturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.machine.test_faults import collect, publish

if TYPE_CHECKING:
    from tests.machine.box import Box

CONFIG = "/etc/edged/edged.yaml"


def test_new_limits_while_prompts_wait(box: Box) -> None:
    names = [f"reload-{number}" for number in range(8)]
    publish(box, names)
    daemon = box.show("MainPID")
    box.sh(f"sed -i 's/^  #capacity: 64/  capacity: 9/' {CONFIG} && systemctl reload edged")
    info = box.sh("mosquitto_sub -t edged/edged/info -C 1 -W 10")
    assert '"capacity":9' in info
    assert "in use now: serving.capacity" in box.sh("journalctl -u edged -x")
    assert sorted(collect(box, names)) == sorted(names)
    assert box.show("MainPID") == daemon


def test_a_file_with_mistakes_is_told_and_not_taken(box: Box) -> None:
    box.sh(f"cp {CONFIG} /root/good && echo 'nodes: kitchen' >> {CONFIG}")
    box.sh("systemctl reload edged")
    box.until(lambda: "did you mean" in box.sh("journalctl -u edged").lower())
    assert box.show("ActiveState") == "active"
    box.sh(f"cp /root/good {CONFIG} && systemctl reload edged")
