"""Makes the manual page edged.yaml(5) of the commented configuration, which says it all already."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEY = re.compile(r"(?P<indent> *)#?(?P<name>[a-z][a-z0-9_]*):(?: (?P<default>.*))?")
_COMMENT = re.compile(r" *#(?: (?P<text>.*))?")
_STEP = 2  # columns of one level
_HEAD = r""".\" Made of config/edged.yaml by scripts/config_manual.py.
.TH EDGED.YAML 5 "" "edged" "edged"
.SH NAME
edged.yaml \- configuration of edged
.SH SYNOPSIS
.I /etc/edged/edged.yaml
.SH DESCRIPTION"""
_TAIL = r""".SH SEE ALSO
.BR edged (1),
.BR journalctl (1),
.BR systemd.exec (5)"""


class Entry(NamedTuple):
    """One key, or the words before the first one.

    Attributes:
        path: Such as `model.download.enabled`; empty before the first key.
        default: As it stands in the file; None for a section.
        lines: The comment above it, without its marks.
    """

    path: str
    default: str | None
    lines: tuple[str, ...]


def entries(text: str) -> Iterator[Entry]:
    """The keys of a commented configuration, in its order."""
    above: list[str] = []
    path: list[str] = []
    for line in text.splitlines():
        if key := _KEY.fullmatch(line):
            path[len(key["indent"]) // _STEP :] = [key["name"]]
            yield Entry(".".join(path), key["default"], tuple(above))
            above = []
        elif comment := _COMMENT.fullmatch(line):
            above.append(comment["text"] or "")
        elif not path and above:
            yield Entry("", None, tuple(above))
            above = []


def page(text: str) -> str:
    """The manual page, in roff's man macros."""
    lines = [_HEAD]
    for entry in entries(text):
        if entry.path and entry.default is None:
            lines.append(f".SS {_escaped(entry.path)}")
        elif entry.path:
            default = "" if entry.default is None else f" (default: {entry.default})"
            lines += [".TP", f"\\fB{_escaped(entry.path)}\\fR{_escaped(default)}"]
        else:
            lines.append(".PP")
        lines += _body(entry.lines)
    return "\n".join([*lines, _TAIL, ""])


def _body(lines: Iterable[str]) -> Iterator[str]:
    """Prose, and what is indented more as it stands."""
    literal = False
    for line in lines:
        if line.startswith("  ") != literal:
            literal = not literal
            yield from (".RS 4", ".nf") if literal else (".fi", ".RE")
        yield _escaped(line)
    if literal:
        yield from (".fi", ".RE")


def _escaped(line: str) -> str:
    escaped = line.replace("\\", "\\e").replace("-", "\\-")
    # at the beginning of a line these two are commands
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1]).read_text(encoding="utf-8")))
