"""The question of the first installation, and brokers that are not there or do not want us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.machine.box import Box

CONFIG = "/etc/edged/edged.yaml"
SECRET = "/etc/credstore/edged.mqtt-password"  # noqa: S105 - a path

CLOSE = """
mosquitto_passwd -c -b /etc/mosquitto/passwd edged right
chown mosquitto /etc/mosquitto/passwd
cat > /etc/mosquitto/conf.d/closed.conf <<END
listener 1883 127.0.0.1
allow_anonymous false
password_file /etc/mosquitto/passwd
END
systemctl restart mosquitto
"""


@pytest.fixture(autouse=True)
def fresh(bare: Box) -> None:
    """No package and no answer."""
    bare.apt("purge", "edged")
    bare.sh("echo PURGE | debconf-communicate edged", check=False)


def install(box: Box, **answers: str) -> None:
    kinds = {"password": "password"}
    lines = [f"edged edged/{key} {kinds.get(key, 'string')} {answers[key]}" for key in answers]
    box.sh("debconf-set-selections <<'END'\n" + "\n".join(lines) + "\nEND")
    box.apt("install", "edged")


def test_without_an_answer_it_is_this_machine(bare: Box) -> None:
    install(bare)
    bare.sh(f"cmp {CONFIG} /usr/share/edged/edged.yaml")


def test_answers_stand_in_the_configuration_and_the_password_does_not(bare: Box) -> None:
    install(bare, broker="broker.lan:8883", username="o'hara", password="s3 cret")  # noqa: S106
    text = bare.sh(f"cat {CONFIG}")
    assert "\n  host: 'broker.lan'\n" in text
    assert "\n  port: 8883\n" in text
    assert "\n  username: 'o''hara'\n" in text
    assert bare.sh(f"cat {SECRET}; stat -c %a {SECRET}") == "s3 cret\n600\n"
    kept = bare.sh("grep -rl 's3 cret' /etc /var", check=False).split()
    assert kept == [SECRET]


def test_a_new_answer_never_overwrites_the_owner(bare: Box) -> None:
    install(bare, broker="first.lan")
    bare.sh("echo edged edged/broker string second.lan | debconf-set-selections")
    bare.sh("dpkg-reconfigure -f noninteractive edged")
    assert "\n  host: 'second.lan'\n" in bare.sh(f"cat {CONFIG}")
    bare.sh(f"sed -i 's/second.lan/owner.lan/' {CONFIG}")
    bare.sh("echo edged edged/broker string third.lan | debconf-set-selections")
    bare.sh("dpkg-reconfigure -f noninteractive edged")
    assert "\n  host: 'owner.lan'\n" in bare.sh(f"cat {CONFIG}")


def test_an_impossible_answer_falls_back(bare: Box) -> None:
    install(bare, broker="no host!")
    bare.sh(f"cmp {CONFIG} /usr/share/edged/edged.yaml")


def test_without_a_broker_it_is_up_and_says_so(bare: Box) -> None:
    bare.sh("systemctl stop mosquitto")
    install(bare)
    assert bare.show("ActiveState") == "active"
    bare.until(lambda: "broker" in bare.show("StatusText"))
    bare.sh("systemctl start mosquitto")
    assert bare.ask("Is the kitchen warm?", "late", max_tokens=8)["status"] == "ok"


def test_a_broker_that_wants_a_password_gets_the_one_of_the_credential(bare: Box) -> None:
    bare.sh(CLOSE)
    install(bare, username="edged", password="wrong")  # noqa: S106
    bare.until(lambda: "refuses" in bare.sh("journalctl -u edged"))
    assert bare.show("ActiveState") == "active"
    bare.sh(f"echo right > {SECRET} && systemctl restart edged")
    bare.until(lambda: "broker connected" in bare.sh("journalctl -u edged -n 5"))
