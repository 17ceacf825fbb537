"""The law of imports and of purity, as a function from a file's text to what it breaks."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES = 400

ROOMS = ("serving", "engine", "mqtt", "models", "telemetry", "thermal")
# where rooms meet
ROOTS = (
    "edged/daemon/*",
    "edged/daemon.py",
    "edged/cli*.py",
    "edged/demo*.py",
    "edged/client/*",
    "edged/verbs/*",
    "edged/doctor/*",
)
# what any room may use
COMMON = (
    "edged.errors",
    "edged.clock",
    "edged.config",
    "edged.settings",
    "edged.files",
    "edged.sections",
    "edged.yamltree",
    "edged.partfile",
    "edged.personatext",
)
# what one file may import of edged; the first pattern that fits decides
ALLOWED: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((pattern, ("edged",)) for pattern in ROOTS),
    ("edged/errors.py", ()),
    ("edged/clock.py", ()),
    ("edged/yamltree.py", ()),
    ("edged/settings.py", ()),
    ("edged/health.py", ()),
    ("edged/__init__.py", ()),
    ("edged/__main__.py", ("edged.cli",)),
    ("edged/personatext.py", ()),
    ("edged/personarules.py", ("edged.personatext", "edged.settings")),
    ("edged/configrules.py", ("edged.personarules", "edged.settings")),
    ("edged/configrenames.py", ("edged.sections", "edged.yamltree")),
    ("edged/sections.py", ("edged.yamltree",)),
    (
        "edged/config.py",
        (
            "edged.errors",
            "edged.settings",
            "edged.configrenames",
            "edged.configrules",
            "edged.sections",
            "edged.yamltree",
        ),
    ),
    ("edged/files.py", ("edged.errors",)),
    ("edged/partfile.py", ("edged.errors", "edged.files")),
    ("edged/places.py", ("edged.settings",)),
    ("edged/password.py", ("edged.errors", "edged.files")),
    ("edged/engine/frames.py", ()),
    ("edged/engine/codec.py", ("edged.engine.frames", "edged.errors")),
    # errors: codec raises one of them, and they know nothing
    (
        "edged/engine/worker/*",
        ("edged.engine.frames", "edged.engine.codec", "edged.engine.worker", "edged.errors"),
    ),
    *((f"edged/{room}/*", (*COMMON, f"edged.{room}")) for room in ROOMS),
)
FORBIDDEN: tuple[tuple[str, tuple[str, ...]], ...] = (
    # the daemon starts the worker's process and never loads a line of it
    ("edged/engine/[!w]*", ("edged.engine.worker",)),
    ("edged/daemon/*", ("edged.engine.worker",)),
)
# libraries with one door
OWNERS: dict[str, tuple[str, ...]] = {
    "paho": ("edged/mqtt/*",),
    "llama_cpp": ("edged/engine/worker/*",),
    "jinja2": ("edged/engine/worker/*",),
    "yaml": ("edged/yamltree.py",),
    "sqlite3": ("edged/serving/ledger.py",),
    "systemd": ("edged/telemetry/*",),
    "rich": ("edged/client/*", "edged/demo*.py", "edged/cli*.py", "edged/verbs/*"),
    "httpx": ("edged/models/*",),
    "gpiozero": ("edged/thermal/*",),
}
PURE = (
    "edged/config.py",
    "edged/configrenames.py",
    "edged/configrules.py",
    "edged/errors.py",
    "edged/health.py",
    "edged/personarules.py",
    "edged/personatext.py",
    "edged/sections.py",
    "edged/settings.py",
    "edged/yamltree.py",
    "edged/client/benchpage.py",
    "edged/client/benchrows.py",
    "edged/client/chart.py",
    "edged/client/pagestyle.py",
    "edged/client/choosing.py",
    "edged/client/render.py",
    "edged/daemon/choicetext.py",
    "edged/doctor/board.py",
    "edged/doctor/examine.py",
    "edged/doctor/facts.py",
    "edged/doctor/finding.py",
    "edged/doctor/heat.py",
    "edged/doctor/history.py",
    "edged/doctor/house.py",
    "edged/doctor/kernelwords.py",
    "edged/doctor/memory.py",
    "edged/doctor/processor.py",
    "edged/doctor/slowness.py",
    "edged/doctor/storage.py",
    "edged/doctor/supply.py",
    "edged/daemon/commands.py",
    "edged/daemon/differences.py",
    "edged/daemon/items.py",
    "edged/daemon/membership.py",
    "edged/daemon/pacing.py",
    "edged/daemon/report.py",
    "edged/daemon/twin.py",
    "edged/serving/*.py",
    "edged/engine/backend.py",
    "edged/engine/codec.py",
    "edged/engine/events.py",
    "edged/engine/frames.py",
    "edged/engine/lifecycle.py",
    "edged/engine/work.py",
    "edged/engine/marks.py",
    "edged/engine/orders.py",
    "edged/engine/prefix.py",
    "edged/engine/prefixes.py",
    "edged/engine/shelf.py",
    "edged/engine/statefile.py",
    "edged/engine/worker/cadence.py",
    "edged/engine/worker/forecast.py",
    "edged/engine/worker/gbnf.py",
    "edged/engine/worker/host.py",
    "edged/engine/worker/neighbours.py",
    "edged/engine/worker/options.py",
    "edged/engine/worker/pacing.py",
    "edged/engine/worker/prefixes.py",
    "edged/engine/worker/punctual.py",
    "edged/engine/worker/radix.py",
    "edged/engine/worker/runs.py",
    "edged/engine/worker/sentences.py",
    "edged/engine/worker/tally.py",
    "edged/engine/worker/text.py",
    "edged/engine/worker/tiered.py",
    "edged/models/amounts.py",
    "edged/models/answers.py",
    "edged/models/bandwidth.py",
    "edged/models/blocks.py",
    "edged/models/buffers.py",
    "edged/models/cachetype.py",
    "edged/models/calibration.py",
    "edged/models/candidates.py",
    "edged/models/catalog.py",
    "edged/models/catalogtext.py",
    "edged/models/choose.py",
    "edged/models/cursor.py",
    "edged/models/explain.py",
    "edged/models/familytext.py",
    "edged/models/fetching.py",
    "edged/models/fit.py",
    "edged/models/gather.py",
    "edged/models/ggml.py",
    "edged/models/gguf.py",
    "edged/models/headerfacts.py",
    "edged/models/hold.py",
    "edged/models/keys.py",
    "edged/models/leastsquares.py",
    "edged/models/made.py",
    "edged/models/metadata.py",
    "edged/models/needs.py",
    "edged/models/predict.py",
    "edged/models/procfiles.py",
    "edged/models/progress.py",
    "edged/models/quiethours.py",
    "edged/models/ranks.py",
    "edged/models/reasons.py",
    "edged/models/records.py",
    "edged/models/repacking.py",
    "edged/models/room.py",
    "edged/models/signs.py",
    "edged/models/settings.py",
    "edged/models/solving.py",
    "edged/models/speeds.py",
    "edged/models/states.py",
    "edged/models/trials.py",
    "edged/models/tuning.py",
    "edged/models/unread.py",
    "edged/models/steps.py",
    "edged/mqtt/discovery.py",
    "edged/mqtt/entities.py",
    "edged/mqtt/failure.py",
    "edged/mqtt/ghosts.py",
    "edged/mqtt/outbox.py",
    "edged/mqtt/packet.py",
    "edged/mqtt/receipts.py",
    "edged/mqtt/sensors.py",
    "edged/mqtt/settling.py",
    "edged/mqtt/topics.py",
    "edged/telemetry/kinds.py",
    "edged/telemetry/meter.py",
    "edged/telemetry/state.py",
    "edged/thermal/debounce.py",
    "edged/thermal/fancurve.py",
    "edged/thermal/gencmd.py",
    "edged/thermal/governor.py",
    "edged/thermal/heatmodel.py",
    "edged/thermal/lamp.py",
    "edged/thermal/leastsquares.py",
    "edged/thermal/outlook.py",
    "edged/thermal/pace.py",
    "edged/thermal/parse.py",
    "edged/thermal/plausible.py",
    "edged/thermal/readings.py",
    "edged/thermal/smooth.py",
    "edged/thermal/spread.py",
    "edged/thermal/trips.py",
)
NOT_PURE = ("edged/serving/ledger.py",)
BANNED = frozenset(
    [
        "asyncio",
        "ctypes",
        "datetime",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    ]
)
BANNED_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__"})
# files.py is the one place, and partfile.py for what is too large to be replaced; the child sets
# its own score in /proc, the demo keeps its children's output in a temporary folder
WRITERS = (
    "edged/files.py",
    "edged/partfile.py",
    "edged/engine/worker/guard.py",
    "edged/demo.py",
)


class Import(NamedTuple):
    """One module that a file names; `typing` if only a type checker sees it."""

    module: str
    line: int
    typing: bool


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` (from the root of the tree, with `/`) breaks, one line each."""
    tree = ast.parse(source)
    found = list(_imports(tree))
    broken = [*_rooms(path, found), *_owners(path, found), *_pure(path, tree, found)]
    broken += _writes(path, tree)
    count = source.count("\n")
    if count > MAX_LINES:
        broken.append(f"{count} lines, over {MAX_LINES}")
    return [f"{path}: {text}" for text in broken]


def is_pure(path: str) -> bool:
    """Whether the file promises to touch nothing outside."""
    return _fits(path, PURE) and not _fits(path, NOT_PURE)


def _fits(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def _within(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in names)


def _imports(tree: ast.AST) -> Iterator[Import]:
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for branch in node.body
        for inner in ast.walk(branch)
    }
    for node in ast.walk(tree):
        for module in _named(node):
            yield Import(module, getattr(node, "lineno", 0), id(node) in hidden)


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        # `from edged import cli` names edged.cli; of others the names may be no modules
        base = "." * node.level + (node.module or "")
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in {"import_module", "__import__", "find_spec"}:
            yield str(node.args[0].value)


def _rooms(path: str, found: list[Import]) -> Iterator[str]:
    rules = [names for pattern, names in ALLOWED if fnmatch(path, pattern)]
    if not rules:
        yield "no room of the table; give it a line"
    barred = tuple(name for pattern, names in FORBIDDEN if fnmatch(path, pattern) for name in names)
    for module, line, _ in found:
        if module.startswith("."):
            yield f"line {line} imports {module}, which is relative"
        ours = module == "edged" or module.startswith("edged.")
        version = module in {"edged", "edged.__version__"}
        allowed = bool(rules) and (version or _within(module, rules[0]))
        if ours and (not allowed or _within(module, barred)):
            yield f"line {line} imports {module}"


def _owners(path: str, found: list[Import]) -> Iterator[str]:
    for module, line, _ in found:
        owners = OWNERS.get(module.partition(".")[0])
        if owners is not None and not _fits(path, owners):
            yield f"line {line} imports {module}, the business of {owners[0]}"


def _pure(path: str, tree: ast.AST, found: list[Import]) -> Iterator[str]:
    if not is_pure(path):
        return
    for module, line, typing in found:
        if module.partition(".")[0] in BANNED and not typing:
            yield f"line {line} imports {module}, and the file is pure"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in BANNED_CALLS:
            yield f"line {node.lineno} calls {node.func.id}, and the file is pure"


def _writes(path: str, tree: ast.AST) -> Iterator[str]:
    if _fits(path, WRITERS):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_write(node):
            yield f"line {node.lineno} writes a file; use edged.files"


def _is_write(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    if name in {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile"}:
        return True
    if name not in {"open", "fdopen"}:
        return False
    if any(flag in ast.unparse(call) for flag in ("O_WRONLY", "O_RDWR", "O_CREAT")):
        return True
    first = 1 if isinstance(call.func, ast.Name) or name == "fdopen" else 0
    modes = [word.value for word in call.keywords if word.arg == "mode"] + call.args[first:][:1]
    text = [mode.value for mode in modes if isinstance(mode, ast.Constant)]
    return any(isinstance(mode, str) and set(mode) & set("wax+") for mode in text)
