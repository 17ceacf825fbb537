"""Remove stops it, purge takes what it made, and models are the owner's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.machine.box import Box

# Logs, lists and the books of apt, dpkg and ucf, which are those of others.
BOOKS = (
    "var/log var/lib/apt var/lib/dpkg var/lib/ucf var/cache var/tmp tmp root srv var/lib/systemd"
)
ETC = "etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/.pwd.lock etc/ld.so.cache"


def files(box: Box) -> set[str]:
    """Every path of the machine's own disk."""
    skipped = " ".join(f"-path /{path} -o" for path in [*BOOKS.split(), *ETC.split()])
    listed = box.sh(f"find / -xdev \\( {skipped} -false \\) -prune -o -print")
    return set(listed.splitlines())


def test_nothing_is_left(bare: Box) -> None:
    before = files(bare)
    bare.apt("install", "edged")
    bare.ask("Is the kitchen warm?", "one", max_tokens=8)
    bare.apt("purge", "edged")
    assert files(bare) - before == set()
    assert "edged" not in bare.sh(
        "ls /var/cache /var/lib /var/lib/systemd/deb-systemd-helper-enabled"
    )
    assert bare.sh("systemctl list-units --all 'edged*' --plain --no-legend") == ""


def test_removed_it_stops_and_keeps_everything(bare: Box) -> None:
    bare.apt("install", "edged")
    bare.apt("remove", "edged")
    assert bare.sh("pgrep -f edged.cli", check=False) == ""
    bare.sh("test -e /etc/edged/edged.yaml && test -e /var/lib/edged/ledger.sqlite3")


def test_models_stay_unless_the_owner_says_so(bare: Box) -> None:
    bare.apt("install", "edged")
    bare.sh("touch /var/lib/edged/models/big.gguf")
    assert "were kept" in bare.apt("purge", "edged")
    assert bare.sh("find /var/lib/edged -type f") == "/var/lib/edged/models/big.gguf\n"
    bare.apt("install", "edged")
    bare.sh("echo edged edged/purge-models boolean true | debconf-set-selections")
    bare.apt("purge", "edged")
    assert bare.sh("ls /var/lib/edged", check=False) == ""
