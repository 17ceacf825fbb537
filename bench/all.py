"""Run every bench, whatever becomes of the others, and write bench/report.html."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console

from bench.page import Section, render
from bench.report import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

BENCHES: Final = (
    "overhead",
    "idle",
    "flood",
    "peers",
    "token_cost",
    "neighbour",
    "growth",
    "mixing",
    "setups",
    "thermal",
    "fleet",
    "decide",
    "schema",
)
# Twice what the longest takes; one that hangs shall not take the rest along.
TIMEOUT_S: Final = 1800.0
FULL_TIMEOUT_S: Final = 7200.0
END_S: Final = 60.0  # a daemon may take 20 s to drain, and its child some more to die
TROUBLE_CHARACTERS: Final = 4000  # of stderr; a traceback's end names the fault
PAGE: Final = Path(__file__).with_name("report.html")


def run_one(name: str, *, full: bool, command: Sequence[str] | None = None) -> tuple[Section, int]:
    """Run one bench in a process of its own; its table goes to the terminal.

    Args:
        name: Of the bench.
        full: Passed on.
        command: Instead of the bench's module; tests.

    Returns:
        Its section of the page, and 0 if every goal was met.
    """
    command = command or (sys.executable, "-m", f"bench.{name}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        argv = (*command, "--out", str(out), *(["--full"] if full else []))
        code, trouble = _watch(argv, FULL_TIMEOUT_S if full else TIMEOUT_S)
        if not out.exists():
            return Section(name=name, trouble=trouble or f"exit code {code}"), code or 1
        return Section(name=name, result=msgspec.json.decode(out.read_bytes(), type=Result)), code


def _watch(argv: Sequence[str], timeout: float) -> tuple[int, str]:
    """Exit code and the end of stderr; a bench that hangs may first end what it started."""
    with (
        tempfile.TemporaryFile("w+", errors="replace") as errors,
        subprocess.Popen(argv, stderr=errors) as process,
    ):
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            return 1, f"still running after {timeout:.0f} s"
        errors.seek(0)
        return code, errors.read()[-TROUBLE_CHARACTERS:]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benches and write the page; 0 only if every goal of every bench was met."""
    parser = argparse.ArgumentParser(prog="bench.all", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--full", action="store_true", help="take the time good numbers need")
    parser.add_argument("--page", type=Path, default=PAGE, help="where to write the page")
    options = parser.parse_args(argv)
    unknown = sorted(set(options.names) - set(BENCHES))
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}")
    console = Console(stderr=True)
    sections, codes = [], []
    for name in options.names or BENCHES:
        section, code = run_one(name, full=options.full)
        if section.result is None:
            console.print(f"bench.{name} failed:\n{section.trouble}", markup=False)
        sections.append(section)
        codes.append(code)
    options.page.write_text(render(sections))
    console.print(f"wrote {options.page}", markup=False)
    return 0 if not any(codes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
