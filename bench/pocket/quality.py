"""How good each file of the pocket family is, by what it thinks of dialogues it never read.

    python -m bench.pocket.quality [--full] [--write FILE]

`--full --write edged/data/pocket.yaml` records anew what the package ships.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from bench.pocket.heldout import samples
from bench.pocket.scoring import Comparison, Reader, measure
from edged.models import headerfacts
from edged.models.family import FIGURES, SOURCE, figures, make
from edged.models.local import check_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.models.catalogtext import QualityText

DIALOGUES = 100  # about 7,000 tokens of assistants, a minute on two cores
FULL_DIALOGUES = 600  # 41,908 of them
# Points of quality by which a short reading may differ: rare bad places weigh more or less in it.
# Q3_K, 0.57 points behind F16, is told from it and from Q2_K, 6.74 behind.
TOLERANCE = 0.15

COLUMNS = {"perplexity": "ppl", "agreement": "top", "same_bytes": "same"}  # of the table


class Member(NamedTuple):
    """A file with its facts.

    Attributes:
        path: Where it is.
        size: Bytes.
        sha256: In hex.
        bpw: Bits per weight.
        kind: Of its types, as the catalogue has it.
        found: Its reading beside the reference's.
    """

    path: Path
    size: int
    sha256: str
    bpw: float
    kind: str
    found: Comparison


def assess(folder: Path, dialogues: int) -> list[Member]:
    """Make the family in a folder and put each file beside the packaged one.

    Args:
        folder: Made if it is missing.
        dialogues: Of the held-out text, how many.

    Returns:
        The files, in the family's order.
    """
    paths = make(folder)
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(path)) for path in paths]
        reference = stack.enter_context(Reader(SOURCE))
        found = measure(reference, readers, samples(reference.tokenize, dialogues))
    return [_member(*each) for each in zip(paths, found, strict=True)]


def _member(path: Path, found: Comparison) -> Member:
    data = path.read_bytes()
    header = check_file(path)
    bpw = header.tensor_bytes * headerfacts.BITS / headerfacts.parameters(header)
    kind = headerfacts.kind_of(header)
    return Member(path, len(data), hashlib.sha256(data).hexdigest(), bpw, kind, found)


def recorded(members: Sequence[Member]) -> str:
    """The family's file of the package, in the catalogue's format."""
    tokens, best = members[0].found.tokens, SOURCE.name
    suite = f'suite: "{tokens} tokens of assistants, beside {best}"'
    lines = [HEAD.format(tokens=tokens)]
    for each in members:
        lines += [
            f"      - file: {each.path.name}",
            f"        bytes: {each.size}",
            f"        sha256: {each.sha256}",
            f"        bpw: {each.bpw:.3f}",
            f"        kind: {each.kind}",
            f"        quality: {{percent: {each.found.percent:.3f}, source: {TEXT}, {suite}}}",
        ]
    return "\n".join(lines) + "\n"


TEXT = "held-out text of bench/pocket"
HEAD = """\
# Files that edged makes of its pocket model, to show a choice among files of one model.
# Written by `python -m bench.pocket.quality --full --write`; the format is that of catalog.yaml.
# Quality: of each token that pocket.gguf (F16) would say, a file keeps some share of the
# probability; the figure is the geometric mean of the shares, over {tokens} tokens of the
# held-out text.
# sha256 holds where numbers are rounded as on the x86-64 that made them.

families:

  - id: pocket-types
    name: edged's pocket model in several types
    license: Apache-2.0
    architecture: qwen3
    parameters: 5246976
    kv_bytes_per_token: 3072
    context: 2048
    variants:"""


def rows(members: Sequence[Member]) -> list[dict[str, object]]:
    """What was found, for a program to read, with what is recorded beside it."""
    known = {variant.file: variant for variant in figures().variants}
    return [
        {
            "file": each.path.name,
            "bytes": each.size,
            "bpw": round(each.bpw, 3),
            "quality": round(each.found.percent, 4),
            "error": round(each.found.percent_error, 4),
            "recorded": variant.quality.percent if variant and variant.quality else None,
            "perplexity": round(each.found.perplexity, 5),
            "agreement": round(100 * each.found.agreement, 2),
            "same_bytes": variant is not None and variant.sha256 == each.sha256,
            "ok": variant is not None and is_as_recorded(each.found, variant.quality),
        }
        for each in members
        for variant in [known.get(each.path.name)]
    ]


def is_as_recorded(found: Comparison, known: QualityText | None) -> bool:
    """Whether a reading, of fewer dialogues perhaps, agrees with the recorded quality."""
    if known is None or known.percent is None:
        return False
    return abs(found.percent - known.percent) <= max(TOLERANCE, 4 * found.percent_error)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the family; returns 0 if every file is as good as recorded."""
    parser = argparse.ArgumentParser(prog="bench.pocket.quality", description=main.__doc__)
    parser.add_argument("--full", action="store_true", help="read six times the dialogues")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", type=Path, metavar="FILE", help=f"such as {FIGURES.name}")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edged-quality-") as folder:
        members = assess(Path(folder), FULL_DIALOGUES if options.full else DIALOGUES)
        if options.write is not None:
            options.write.write_text(recorded(members))
        found = rows(members)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        Console().print(_table(found))
    return 0 if all(row["ok"] for row in found) else 1


def _table(found: Sequence[dict[str, object]]) -> Table:
    table = Table(title="the pocket family on held-out dialogues", title_justify="left", box=None)
    for name in found[0]:
        column = COLUMNS.get(name, name)
        table.add_column(column, justify="left" if name == "file" else "right", no_wrap=True)
    for row in found:
        style = "" if row["ok"] else "bold red"
        told = [str(value).removeprefix("pocket-").removesuffix(".gguf") for value in row.values()]
        table.add_row(*told, style=style)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
