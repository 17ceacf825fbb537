from __future__ import annotations

import pytest

from edged.models.signs import Entry, Signs, changed

THEN = Signs(100, 200, (Entry("a.gguf", 1, 1),), (Entry("a.yaml", 1, 1),))


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (THEN, None),
        (THEN._replace(have=50), None),
        (THEN._replace(have=49), "memory"),
        (THEN._replace(have=1000), None),
        (THEN._replace(limit=100), "limit"),
        (THEN._replace(limit=None), "limit"),
        (THEN._replace(models=()), "files"),
        (THEN._replace(models=(Entry("a.gguf", 2, 1),)), "files"),
        (THEN._replace(models=(Entry("a.gguf", 1, 2),)), "files"),
        (THEN._replace(catalogues=(*THEN.catalogues, Entry("b.yaml", 1, 1))), "files"),
    ],
)
def test_what_makes_a_choice_wrong_calls(now: Signs, found: str | None) -> None:
    assert changed(THEN, now, 50) == found


def test_memory_that_is_still_short_or_comes_back_is_no_haste() -> None:
    short = THEN._replace(have=10)
    assert changed(short, THEN._replace(have=5), 50) is None
    assert changed(short, THEN, 50) is None


def test_a_need_that_nobody_knows_is_never_short() -> None:
    assert changed(THEN, THEN._replace(have=0), None) is None
