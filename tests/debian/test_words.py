"""The manual page and the completion know each verb and option, and no other."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edged.cli import _parser

DEBIAN = Path(__file__).parents[2] / "debian"
PAGE = (DEBIAN / "edged.1").read_text().replace("\\-", "-")
COMPLETION = DEBIAN / "edged.completion"
ASK = """
edged() { "$PYTHON" -m edged.cli "$@"; }
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_edged 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


def verbs() -> dict[str, argparse.ArgumentParser]:
    subparsers = next(
        action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(subparsers.choices)


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {
        text for action in parser._actions for text in action.option_strings if text[:2] == "--"
    }


def complete(*words: str) -> set[str]:
    command = ["bash", "-c", ASK, "bash", str(COMPLETION), "edged", *words]
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "COLUMNS": "80"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return set(done.stdout.split())


def test_the_page_tells_each_verb_and_option() -> None:
    told = set(re.findall(r"--[a-z-]+[a-z]", PAGE))
    known = {"--version"}
    for name, parser in verbs().items():
        assert re.search(rf"edged {name}\b", PAGE), name
        known |= options(parser)
    assert told == known


@pytest.mark.process
def test_verbs_are_completed() -> None:
    assert complete("") == {*verbs(), "--help", "--version"}
    assert complete("che") == {"check-config"}


@pytest.mark.process
@pytest.mark.parametrize("verb", sorted(verbs()))
def test_options_of_each_verb_are_completed(verb: str) -> None:
    assert complete(verb, "--") == options(verbs()[verb])


@pytest.mark.process
def test_words_of_a_choice_are_completed() -> None:
    offered = {
        (verb, action.option_strings[-1]): action.choices
        for verb, parser in verbs().items()
        for action in parser._actions
        if action.choices and action.option_strings
    }
    assert offered
    for (verb, option), choices in offered.items():
        assert complete(verb, option, "") == {str(choice) for choice in choices or ()}
