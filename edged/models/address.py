"""Addresses of model files: where one is asked for, and where an answer may lead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import msgspec

from edged.models.fetching import fail
from edged.models.records import safe_name
from edged.models.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

HUB = "https://huggingface.co"
MAX_URL = 8192  # characters; signed addresses of a CDN have 1,500
_SCHEMES = ("https", "http")
_PORTS = 1 << 16
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,127}", re.ASCII)
_PATH = re.compile(r"(?:[A-Za-z0-9][\w.+@=-]{0,199}/){0,8}[A-Za-z0-9][\w.+@=-]{0,199}", re.ASCII)
# /owner/name/resolve/revision/file, and what a browser shows at /blob/
_ON_HUB = re.compile(r"/([^/]+/[^/]+)/(?:resolve|blob)/([^/]+)/(.+)")


class Source(msgspec.Struct, frozen=True):
    """One place where a file can be had.

    Attributes:
        url: Where to ask first.
        trusted: The token may go there.
    """

    url: str
    trusted: bool = False

    @property
    def host(self) -> str:
        """For messages: it has no user and no query."""
        return httpx.URL(self.url).netloc.decode("ascii", "replace")

    @property
    def plain(self) -> str:
        """For records: without user, query and fragment."""
        return plain(self.url)


def sources(variant: Variant, endpoint: str, mirrors: Iterable[str]) -> tuple[Source, ...]:
    """Where a variant can be had, in the order in which to try.

    Args:
        variant: From a catalogue or a command line.
        endpoint: Of the hub, `scheme://host[:port][/folder]`.
        mirrors: Other hubs of the same kind.

    Raises:
        FetchError: Nowhere, or its names are none that a hub has.
    """
    found = []
    if variant.repo is not None:
        path = _path_on_hub(variant)
        found.append(Source(_checked(endpoint.rstrip("/") + path), trusted=True))
        found += [Source(_checked(mirror.rstrip("/") + path)) for mirror in mirrors]
    if variant.url is not None:
        # the token is the hub's, and whoever wrote this address may have another host in mind
        found.append(Source(_checked(variant.url)))
    if not found:
        reason = f"nobody says where {variant.id} can be downloaded"
        fail("no_source", reason)
    return tuple(found)


def variant_at(url: str) -> Variant:
    """The variant behind an address that somebody typed.

    Args:
        url: http or https; a page of the hub is understood as the file that it shows.

    Raises:
        FetchError: It is no address of a GGUF file.
    """
    parsed = httpx.URL(_checked(url))
    file = safe_name(parsed.path)
    if file is None:
        reason = f"{plain(url)} does not end in the name of a .gguf file"
        fail("no_source", reason)
    stem = file.removesuffix(".gguf")
    found = _ON_HUB.fullmatch(parsed.path)
    if found is not None and parsed.host == httpx.URL(HUB).host:
        repo, revision, path = found.groups()
        return Variant(id=stem, family=stem, file=path, repo=repo, revision=revision)
    return Variant(id=stem, family=stem, file=file, url=url)


def follow(url: str, location: str | None) -> str:
    """Where a redirect leads.

    Args:
        url: That was asked.
        location: As the server gave it; relative ones are understood.

    Raises:
        FetchError: To something that is not followed: another scheme, a downgrade to http, an
            address with a user in it, or none.
    """
    if location is None or len(location) > MAX_URL:
        reason = f"{plain(url)} redirects to an address that is missing or too long"
        fail("unsafe", reason)
    try:
        target = str(httpx.URL(url).join(location).copy_with(fragment=None))
    except (httpx.InvalidURL, ValueError):
        reason = f"{plain(url)} redirects to a malformed address"
        fail("unsafe", reason)
    scheme = httpx.URL(target).scheme
    if scheme == "http" and httpx.URL(url).scheme == "https":
        fail("unsafe", f"{plain(url)} redirects from https to http")
    return _checked(target)


def may_have_token(url: str, endpoint: str) -> bool:
    """Whether a request may carry the hub's token: to the endpoint itself and in no one's sight.

    Over http it goes to this machine only.
    """
    asked, own = httpx.URL(url), httpx.URL(endpoint)
    same = (asked.scheme, asked.host, asked.port) == (own.scheme, own.host, own.port)
    return same and (asked.scheme == "https" or asked.host in _LOOPBACK)


def plain(url: str) -> str:
    """An address as it may be shown and kept: without user, query and fragment."""
    try:
        parsed = httpx.URL(url[:MAX_URL])
        return str(parsed.copy_with(userinfo=b"", query=None, fragment=None))
    except (httpx.InvalidURL, ValueError):
        return "(a malformed address)"


def _path_on_hub(variant: Variant) -> str:
    checks = (
        (_REPO, variant.repo or "", "repository"),
        (_REVISION, variant.revision, "revision"),
        (_PATH, variant.file, "file"),
    )
    for pattern, text, what in checks:
        if not pattern.fullmatch(text) or ".." in text:
            reason = f"{text[:100]!a} is no {what} on a hub"
            fail("no_source", reason)
    return f"/{variant.repo}/resolve/{variant.revision.replace('/', '%2F')}/{variant.file}"


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        fail("unsafe", "a malformed address is not asked")
    if parsed.scheme not in _SCHEMES:
        reason = f"files come over https or http, not over {parsed.scheme[:20]!a}"
        fail("unsafe", reason)
    if not parsed.host or parsed.userinfo or not 0 < (parsed.port or 1) < _PORTS:
        fail("unsafe", f"{plain(url)} has no host, a user in it, or a port that there is not")
    return url
