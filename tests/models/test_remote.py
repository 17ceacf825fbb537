from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edged.errors import ModelError
from edged.models import remote
from edged.models.cursor import MAX_HEADER_BYTES
from edged.models.fetching import FetchError
from edged.models.hub import Hub
from edged.models.remote import RemoteHeader, remote_header
from edged.settings import DownloadConfig
from tests.models.hubrig import FILE, MODEL, QUICK, SHA256, VARIANT, hub
from tests.models.rawgguf import build
from tests.models.test_gguf import large_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rig.hub import Hub as Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    with hub() as running:
        yield running


def header_of(rig: Rig, *mirrors: str, endpoint: str | None = None) -> RemoteHeader:
    async def asked() -> RemoteHeader:
        config = DownloadConfig(endpoint=endpoint or rig.endpoint, mirrors=mirrors)
        async with Hub(config, limits=QUICK) as client:
            return await remote_header(client, VARIANT)

    return asyncio.run(asked())


def test_a_small_header_takes_one_request_and_not_the_file(rig: Rig) -> None:
    found = header_of(rig)
    assert found.header.geometry.name == "tiny"
    assert (found.facts.bytes, found.facts.sha256) == (len(MODEL), SHA256)
    assert found.read == rig.sent == remote.FIRST_BYTES < len(MODEL)
    assert len(rig.asked("cdn")) == 1


def test_a_large_header_takes_a_few_and_the_weights_stay_there(rig: Rig) -> None:
    data = large_vocabulary(150_000)
    rig.files[FILE] = data + bytes(40 << 20)
    found = header_of(rig)
    assert found.header.geometry.n_vocab == 150_000
    assert len(rig.asked("cdn")) <= 4
    assert found.read == rig.sent < 3 * len(data)
    starts = [one.start or 0 for one in rig.asked("cdn")]
    assert starts == sorted(set(starts))


def test_a_server_without_ranges_gives_the_beginning_too(rig: Rig) -> None:
    data = large_vocabulary(60_000)
    rig.files[FILE] = data + bytes(8 << 20)
    rig.misbehave("cdn", "ignore_range")
    assert header_of(rig).header.geometry.n_vocab == 60_000


def test_a_header_that_wants_ever_more_is_bounded(rig: Rig) -> None:
    rig.files[FILE] = large_vocabulary(150_000)[: 4 << 20] + bytes(range(1, 256)) * (1 << 18)
    with pytest.raises(ModelError, match=FILE):
        header_of(rig)
    assert rig.sent <= MAX_HEADER_BYTES + (1 << 20)


def test_a_bad_header_is_a_fault_of_the_model(rig: Rig) -> None:
    rig.files[FILE] = b"\x7fELF" + bytes(100)
    with pytest.raises(ModelError, match=f"{FILE}: not a GGUF file"):
        header_of(rig)
    rig.files[FILE] = build()[:200]
    with pytest.raises(ModelError, match="too short"):
        header_of(rig)


def test_a_file_that_changes_meanwhile_is_told(rig: Rig) -> None:
    class Changing(dict[str, bytes]):
        def get(self, name: str, _: object = None) -> bytes:
            return self[name] + bytes(len(rig.seen) // 2)

    rig.files = Changing({FILE: large_vocabulary(150_000)})
    with pytest.raises(FetchError) as caught:
        header_of(rig)
    assert caught.value.code in {"changed", "bad_answer"}


def test_a_mirror_has_it_when_the_endpoint_does_not(rig: Rig) -> None:
    dead = "http://localhost:1"
    assert header_of(rig, rig.endpoint, endpoint=dead).header.geometry.name == "tiny"
    with pytest.raises(FetchError) as caught:
        header_of(rig, dead, endpoint=dead)
    assert caught.value.code == "unreachable"
    rig.misbehave("cdn", "cut")
    rig.cut_after = 100
    with pytest.raises(FetchError) as caught:
        header_of(rig, rig.endpoint)
    assert caught.value.code == "cut"
