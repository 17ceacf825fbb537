"""Tests that run only when asked for: they need root, other programs, or a quarter of an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def only_with(
    option: str, config: pytest.Config, items: Iterable[pytest.Item], conftest: Path, *, why: str
) -> list[pytest.Item]:
    """Skip the tests of a folder without an option.

    Args:
        option: Such as `--pi`; the name of the folder's own target is that of the option.
        config: Of this run.
        items: What was collected, of all folders.
        conftest: The file in that folder.
        why: What they do that is not for each run.

    Returns:
        The tests of the folder.
    """
    found = [item for item in items if item.path.is_relative_to(conftest.parent)]
    if not config.getoption(option, default=False):
        for item in found:
            item.add_marker(pytest.mark.skip(reason=f"{why}: make test-{option.strip('-')}"))
    return found
