"""From the version before to this one, with what the owner has made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.machine.repository import BEFORE
from tests.machine.test_faults import collect, publish

if TYPE_CHECKING:
    from tests.machine.box import Box

CONFIG = "/etc/edged/edged.yaml"
MODEL = "/var/lib/edged/models/of-the-owner.gguf"


@pytest.fixture(autouse=True)
def old(bare: Box) -> None:
    """The version before, untouched."""
    bare.apt("purge", "edged")
    bare.sh("rm -rf /var/lib/edged")
    bare.apt("install", f"edged={BEFORE}")


def test_an_untouched_configuration_is_replaced(bare: Box) -> None:
    assert "as it was before" in bare.sh(f"cat {CONFIG}")
    bare.apt("upgrade")
    assert "as it was before" not in bare.sh(f"cat {CONFIG}")


def test_what_the_owner_changed_and_brought_stays(bare: Box) -> None:
    bare.sh(f"sed -i 's/^  #context: 2048/  context: 1024/' {CONFIG} && touch {MODEL}")
    bare.apt("upgrade")
    assert "\n  context: 1024\n" in bare.sh(f"cat {CONFIG}")
    bare.sh(f"test -e {MODEL}")


def test_an_upgrade_under_load_loses_no_prompt(bare: Box) -> None:
    bare.until(bare.ready)
    names = [f"load-{number}" for number in range(12)]
    publish(bare, names)
    bare.apt("upgrade")
    assert sorted(collect(bare, names)) == sorted(names)
    assert BEFORE not in bare.sh("dpkg-query -W edged")


def test_a_half_done_installation_is_mended(bare: Box) -> None:
    deb = "/srv/repo/pool/edged_[!0]*.deb /srv/repo/pool/edged_0.[1-9]*.deb"
    bare.sh(f"dpkg --unpack $(ls {deb} 2>/dev/null | head -n 1)")
    assert bare.show("ActiveState") == "inactive"
    bare.sh("dpkg --configure -a")
    assert bare.show("ActiveState") == "active"
