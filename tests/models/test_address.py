from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.address import (
    HUB,
    MAX_URL,
    Source,
    follow,
    may_have_token,
    plain,
    sources,
    variant_at,
)
from edged.models.fetching import FetchError
from edged.models.variants import Variant

VARIANT = Variant(
    id="v", family="f", file="UD/v-Q3_K.gguf", repo="owner/name.gguf", revision="refs/pr/1"
)


def test_a_variant_of_the_hub_and_its_mirrors() -> None:
    found = sources(VARIANT, HUB, ["http://mirror:8080/hub/"])
    assert found == (
        Source(f"{HUB}/owner/name.gguf/resolve/refs%2Fpr%2F1/UD/v-Q3_K.gguf", trusted=True),
        Source("http://mirror:8080/hub/owner/name.gguf/resolve/refs%2Fpr%2F1/UD/v-Q3_K.gguf"),
    )
    assert [one.host for one in found] == ["huggingface.co", "mirror:8080"]


def test_an_address_of_its_own_comes_last_and_is_not_trusted() -> None:
    both = Variant(id="v", family="f", file="v.gguf", repo="a/b", url="https://x/v.gguf?k=1#f")
    assert sources(both, HUB, ())[1] == Source("https://x/v.gguf?k=1#f")
    assert sources(both, HUB, ())[1].plain == "https://x/v.gguf"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "no_source"),
        ({"repo": "a"}, "no_source"),
        ({"repo": "../b"}, "no_source"),
        ({"repo": "a/b?x=1"}, "no_source"),
        ({"repo": "a/b", "revision": "../../x"}, "no_source"),
        ({"repo": "a/b", "revision": "a b"}, "no_source"),
        ({"repo": "a/b", "file": "../v.gguf"}, "no_source"),
        ({"repo": "a/b", "file": "v.gguf?x"}, "no_source"),
        ({"url": "file:///etc/passwd"}, "unsafe"),
        ({"url": "https://user:hunter2@host/v.gguf"}, "unsafe"),
        ({"url": "https:///v.gguf"}, "unsafe"),
        ({"url": "http://[::1"}, "unsafe"),
    ],
)
def test_what_is_no_place_is_not_asked(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(FetchError) as caught:
        sources(Variant(**({"id": "v", "family": "f", "file": "v.gguf"} | fields)), HUB, ())
    assert caught.value.code == code
    assert "hunter2" not in caught.value.reason


def test_a_page_of_the_hub_is_the_file_that_it_shows() -> None:
    for word in ("blob", "resolve"):
        found = variant_at(f"{HUB}/owner/name/{word}/main/UD/x-Q4_K.gguf?download=true")
        assert (found.repo, found.revision, found.file) == ("owner/name", "main", "UD/x-Q4_K.gguf")
        assert found.url is None
    other = variant_at("https://other/owner/name/resolve/main/x.gguf")
    assert (other.id, other.file, other.repo) == ("x", "x.gguf", None)
    assert other.url == "https://other/owner/name/resolve/main/x.gguf"


@pytest.mark.parametrize("url", ["ftp://x/y.gguf", "https://x/y.zip", "https://x/", "https://x"])
def test_no_address_of_a_model(url: str) -> None:
    with pytest.raises(FetchError):
        variant_at(url)


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://a/b/c", "/d", "https://a/d"),
        ("https://a/b/c", "d?e#f", "https://a/b/d?e"),
        ("https://a/b", "https://cdn/x?sig=1", "https://cdn/x?sig=1"),
        ("https://a/b", "//cdn/x", "https://cdn/x"),
        ("http://a/b", "http://c/d", "http://c/d"),
        ("http://a/b", "https://c/d", "https://c/d"),
    ],
)
def test_redirects_that_are_followed(url: str, location: str, target: str) -> None:
    assert follow(url, location) == target


@pytest.mark.parametrize(
    "location",
    [
        None,
        "http://a/b",
        "file:///etc/passwd",
        "ftp://a/b",
        "data:text/plain,x",
        "javascript:x",
        "https://user:pw@a/b",
        "https://[::1/x",
        "https://a:99999/x",
        "https://a/" + "x" * MAX_URL,
    ],
)
def test_redirects_that_are_not(location: str | None) -> None:
    with pytest.raises(FetchError) as caught:
        follow("https://a/b", location)
    assert caught.value.code == "unsafe"


@given(st.text(max_size=100))
def test_a_redirect_leads_to_https_or_nowhere(location: str) -> None:
    with contextlib.suppress(FetchError):
        assert follow("https://a/b", location).startswith("https://")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://huggingface.co/x", True),
        ("https://huggingface.co:443/x", True),
        ("https://huggingface.co:444/x", False),
        ("http://huggingface.co/x", False),
        ("https://cdn.huggingface.co/x", False),
        ("https://huggingface.co.evil/x", False),
        ("https://evil/huggingface.co", False),
    ],
)
def test_the_token_goes_to_the_endpoint_alone(url: str, *, allowed: bool) -> None:
    assert may_have_token(url, HUB) is allowed


def test_over_http_the_token_stays_on_this_machine() -> None:
    assert may_have_token("http://localhost:80/x", "http://localhost")
    assert not may_have_token("http://hub.home/x", "http://hub.home")


def test_what_is_shown_has_no_secret() -> None:
    assert plain("https://u:p@h:1/a?b=c#d") == "https://h:1/a"
    assert plain("https://[::1") == "(a malformed address)"
