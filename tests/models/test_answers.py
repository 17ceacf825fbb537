from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.models.answers import Extent, Linked, RangeError, etag, extent, linked, refuse
from edged.models.fetching import FetchError

A = "a" * 64
WALL = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


def test_the_hubs_own_headers() -> None:
    told = linked(
        {"x-linked-size": "12", "x-linked-etag": f'"{A}"', "x-repo-commit": "0123abc"},
    )
    assert told == Linked(bytes=12, etag=A, commit="0123abc")
    assert told.sha256 == A
    assert linked({}) == Linked()
    assert linked({}).sha256 is None


@pytest.mark.parametrize(
    "headers",
    [
        {"x-linked-size": "-1"},
        {"x-linked-size": "9" * 40},
        {"x-linked-size": "\u0663"},
        {"x-linked-etag": 'W/"weak"'},
        {"x-linked-etag": "a" * 300},
        {"x-repo-commit": "a/b"},
    ],
)
def test_what_is_malformed_counts_as_absent(headers: dict[str, str]) -> None:
    assert linked(headers) == Linked()


def test_a_small_files_etag_is_no_sha256() -> None:
    assert Linked(etag="f" * 40).sha256 is None
    assert etag('"x"') == etag("x") == "x"
    assert etag(None) is etag('W/"x"') is etag("") is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "unavailable"),
        (503, "unavailable"),
        (429, "unavailable"),
        (408, "unavailable"),
        (401, "refused"),
        (403, "refused"),
        (404, "missing"),
        (451, "missing"),
        (204, "bad_answer"),
        (304, "bad_answer"),
    ],
)
def test_a_status_is_named(status: int, code: str) -> None:
    with pytest.raises(FetchError) as caught:
        refuse(status, {}, "hub", WALL)
    assert caught.value.code == code
    assert str(status) in caught.value.reason
    assert caught.value.retry_after is None


def test_good_ones_pass_and_416_is_another_file() -> None:
    refuse(200, {}, "hub", WALL)
    refuse(206, {}, "hub", WALL)
    with pytest.raises(RangeError):
        refuse(416, {}, "hub", WALL)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 21 Oct 2015 07:29:00 GMT", 60.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("Wed, 99 Oct 99999999999999 99:99:99 GMT", None),
    ],
)
def test_when_to_come_back(value: str, seconds: float | None) -> None:
    with pytest.raises(FetchError) as caught:
        refuse(503, {"retry-after": value}, "hub", WALL)
    assert caught.value.retry_after == seconds


@given(st.text(max_size=80))
def test_no_date_breaks_it(value: str) -> None:
    with pytest.raises(FetchError) as caught:
        refuse(503, {"retry-after": value}, "hub", WALL)
    assert caught.value.retry_after is None or caught.value.retry_after >= 0


def test_which_bytes_come() -> None:
    ranged = {"content-range": "bytes 10-99/100"}
    assert extent(206, ranged, 10, None, "hub") == Extent(10, 90, 100)
    assert extent(206, ranged | {"content-length": "90"}, 10, None, "hub") == Extent(10, 90, 100)
    assert extent(206, {"content-range": "bytes 10-19/100"}, 10, 20, "hub") == Extent(10, 10, 100)
    # more was asked for than there is
    assert extent(206, ranged, 10, 500, "hub") == Extent(10, 90, 100)
    plain = {"content-length": "100", "content-encoding": "Identity"}
    assert extent(200, plain, 10, None, "hub") == Extent(0, 100, 100)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (200, {}, "how long"),
        (200, {"content-length": "100", "content-encoding": "gzip"}, "compresses"),
        (206, {}, "which bytes"),
        (206, {"content-range": "bytes */100"}, "which bytes"),
        (206, {"content-range": "bytes 11-99/100"}, "asked were 10"),
        (206, {"content-range": "bytes 10-98/100"}, "asked were 10"),
        (206, {"content-range": "bytes 10-100/100"}, "asked were 10"),
        (206, {"content-range": "bytes 10-9/10"}, "asked were 10"),
        (206, {"content-range": "bytes 10-99/100", "content-length": "91"}, "contradicts"),
    ],
)
def test_other_bytes_are_refused(status: int, headers: dict[str, str], said: str) -> None:
    with pytest.raises(FetchError) as caught:
        extent(status, headers, 10, None, "hub")
    assert caught.value.code == "bad_answer"
    assert said in caught.value.reason


def test_the_end_that_was_asked_for_is_told() -> None:
    with pytest.raises(FetchError) as caught:
        extent(206, {"content-range": "bytes 10-99/100"}, 10, 20, "hub")
    assert "asked were 10 to 19" in caught.value.reason
