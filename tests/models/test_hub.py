"""Who is asked, what is sent to whom, and over which connection; faults are in test_download."""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING

import pytest

from edged.models.fetching import FetchError
from edged.models.hub import Hub
from edged.settings import DownloadConfig
from tests.models.hubrig import FILE, MODEL, QUICK, SHA256, VARIANT, hub, run, world
from tests.rig.certs import Authority
from tests.rig.hub import BOMB, COMMIT
from tests.rig.hub import Hub as Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edged.models.fetching import Facts

TOKEN = "hf_SecretSecretSecret"  # noqa: S105 - a made-up one


@pytest.fixture
def rig() -> Iterator[Rig]:
    with hub() as running:
        yield running


def ask(
    rig: Rig, start: int = 0, end: int | None = None, most: int | None = None, **more: str
) -> tuple[Facts, int, bytes]:
    async def asked() -> tuple[Facts, int, bytes]:
        config = DownloadConfig(endpoint=rig.endpoint)
        async with Hub(config, limits=QUICK, environment={}, **more) as client:  # type: ignore[arg-type]
            (source,) = client.sources(VARIANT)
            async with client.open(source, start, end) as answer:
                body = b"".join([chunk async for chunk in answer.chunks(most)])
                return answer.facts, answer.start, body

    return asyncio.run(asked())


def test_the_hub_tells_size_hash_and_commit_and_the_cdn_the_bytes(rig: Rig) -> None:
    facts, start, body = ask(rig)
    assert (facts.bytes, facts.sha256, facts.commit) == (len(MODEL), SHA256, COMMIT)
    assert facts.host == rig.endpoint.removeprefix("http://")
    assert (start, body) == (0, MODEL)
    assert {one.headers["accept-encoding"] for one in rig.seen} == {"identity"}


def test_a_range_and_no_more_than_enough(rig: Rig) -> None:
    assert ask(rig, 10, 20)[2] == MODEL[10:20]
    assert ask(rig, 10)[1:] == (10, MODEL[10:])
    rig.misbehave("cdn", "ignore_range", 1)
    _, start, body = ask(rig, 10, 20, most=20)
    assert (start, body) == (0, MODEL[:20])


def test_a_renamed_repository_is_found(rig: Rig) -> None:
    rig.misbehave("hub", "relative", 1)
    assert ask(rig)[2] == MODEL
    assert [one.role for one in rig.seen] == ["hub", "hub", "cdn"]


def test_the_token_does_not_follow_a_redirect_to_another_host(rig: Rig) -> None:
    rig.misbehave("hub", "relative", 1)
    ask(rig, token=TOKEN)
    sent = [one.headers.get("authorization") for one in rig.seen]
    assert sent == [f"Bearer {TOKEN}", f"Bearer {TOKEN}", None]
    assert "cookie" not in {name for one in rig.seen for name in one.headers}


def test_the_token_is_not_for_mirrors_and_is_never_told(rig: Rig, tmp_path: Path) -> None:
    dead = "http://localhost:1"
    _, events = run(
        world(rig, tmp_path, endpoint=dead, mirrors=(rig.endpoint,), token=TOKEN, most_failures=1)
    )
    assert rig.seen
    assert not [one for one in rig.seen if "authorization" in one.headers]
    rig.misbehave("hub", "gated")
    _, more = run(world(rig, tmp_path / "b", token=TOKEN))
    assert TOKEN not in repr((events, more))
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
    assert kept
    assert TOKEN.encode() not in kept


def test_a_redirect_loop_is_bounded(rig: Rig) -> None:
    rig.misbehave("hub", "to_itself")
    with pytest.raises(FetchError, match="more than 5 times"):
        ask(rig)
    assert len(rig.seen) == 6


def test_a_gzip_bomb_does_not_go_off(rig: Rig) -> None:
    rig.misbehave("cdn", "gzip_bomb")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FetchError, match="compresses"):
        ask(rig)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 24 * 1024
    assert len(BOMB) < 200_000


def test_headers_without_end_are_bounded(rig: Rig) -> None:
    rig.misbehave("hub", "huge_headers")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FetchError) as caught:
        ask(rig)
    assert caught.value.code == "bad_answer"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_over_tls_with_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Rig(authority.issue("hub")).running() as rig:
        rig.files[FILE] = MODEL
        assert ask(rig, ca_file=str(authority.ca_file))[2] == MODEL
        # from https nothing leads back to http
        rig.misbehave("hub", "to_http", 1)
        with pytest.raises(FetchError, match="from https to http") as caught:
            ask(rig, ca_file=str(authority.ca_file))
        assert caught.value.code == "unsafe"


@pytest.mark.parametrize("case", ["stranger", "expired"])
def test_a_certificate_that_is_not_trusted(tmp_path: Path, case: str) -> None:
    authority = Authority(tmp_path)
    ends = -3600.0 if case == "expired" else 3600.0
    other = authority if case == "expired" else Authority(tmp_path, "another CA")
    with Rig(authority.issue("hub", not_after_s=ends)).running() as rig:
        rig.files[FILE] = MODEL
        with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            ask(rig, ca_file=str(other.ca_file))
        assert caught.value.code == "unreachable"
        assert rig.seen == []
