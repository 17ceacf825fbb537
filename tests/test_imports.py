"""The import graph is a promise; this keeps it (the rules are in importlaw.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.importlaw import ALLOWED, MAX_LINES, NOT_PURE, PURE, is_pure, violations

ROOT = Path(__file__).parents[1]
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("edged/**/*.py"))


@pytest.mark.parametrize("path", FILES)
def test_every_file_keeps_the_law(path: str) -> None:
    assert violations(path, (ROOT / path).read_text()) == []


@pytest.mark.parametrize("pattern", [*PURE, *NOT_PURE])
def test_no_promise_outlives_its_file(pattern: str) -> None:
    assert list(ROOT.glob(pattern))


def test_a_room_is_entered_without_side_effects() -> None:
    for path in FILES:
        if path.endswith("/__init__.py") and not path.startswith(("edged/daemon/", "edged/__")):
            assert (ROOT / path).read_text().count("\n") <= 3, path


BROKEN = [
    # room against room, at any depth and in any form
    ("edged/serving/a.py", "from edged.mqtt.topics import Topics", "imports edged.mqtt"),
    ("edged/serving/a.py", "def f():\n    import edged.engine.frames", "imports edged.engine"),
    ("edged/mqtt/a.py", "from edged.serving import message", "imports edged.serving.message"),
    ("edged/models/a.py", "from edged import telemetry", "imports edged.telemetry"),
    ("edged/telemetry/a.py", "from edged import daemon", "imports edged.daemon"),
    ("edged/engine/a.py", "import edged.models.gguf", "imports edged.models"),
    ("edged/engine/a.py", "from edged.engine.worker import loop", "imports edged.engine.worker"),
    ("edged/daemon/a.py", "import edged.engine.worker.loop", "imports edged.engine.worker"),
    ("edged/mqtt/a.py", "import importlib\nimportlib.import_module('edged.cli')", "edged.cli"),
    (
        "edged/mqtt/a.py",
        "import typing as t\nif t.TYPE_CHECKING:\n    import edged.engine",
        "edged",
    ),
    ("edged/mqtt/a.py", "from . import topics", "relative"),
    ("edged/files.py", "import edged.config", "imports edged.config"),
    ("edged/config.py", "import edged.files", "imports edged.files"),
    ("edged/errors.py", "import edged.clock", "imports edged.clock"),
    ("edged/novelty.py", "", "no room of the table"),
    ("edged/novelty/a.py", "", "no room of the table"),
    # the child reaches nothing
    ("edged/engine/worker/a.py", "import edged.files", "imports edged.files"),
    ("edged/engine/worker/a.py", "import edged.config", "imports edged.config"),
    ("edged/engine/worker/a.py", "import edged.engine.supervisor", "imports edged.engine"),
    ("edged/engine/frames.py", "import edged.engine.life", "imports edged.engine.life"),
    # libraries with one door
    ("edged/cli.py", "import paho.mqtt.client", "business of edged/mqtt"),
    ("edged/daemon/a.py", "from llama_cpp import llama_cpp", "business of edged/engine/worker"),
    ("edged/engine/a.py", "import importlib\nimportlib.import_module('llama_cpp')", "business"),
    ("edged/engine/a.py", "from jinja2 import Template", "business"),
    ("edged/config.py", "import yaml", "business"),
    ("edged/daemon/a.py", "import sqlite3", "business"),
    ("edged/daemon/a.py", "from rich.table import Table", "business"),
    # pure files
    ("edged/health.py", "import time", "imports time, and the file is pure"),
    ("edged/health.py", "from time import monotonic", "imports time"),
    ("edged/serving/admission.py", "def f():\n    import random", "imports random"),
    ("edged/serving/a.py", "import os.path", "imports os"),
    ("edged/mqtt/topics.py", "import logging", "imports logging"),
    ("edged/models/gguf.py", "from pathlib import Path", "imports pathlib"),
    ("edged/models/gguf.py", "f = open('x')", "calls open"),
    ("edged/telemetry/meter.py", "print(1)", "calls print"),
    # files are written in one place
    ("edged/serving/ledger.py", "open('x', 'w')", "writes a file"),
    ("edged/mqtt/a.py", "open('x', mode='ab')", "writes a file"),
    ("edged/mqtt/a.py", "p.open('x')", "writes a file"),
    ("edged/mqtt/a.py", "p.write_text('x')", "writes a file"),
    ("edged/mqtt/a.py", "p.write_bytes(b'')", "writes a file"),
    ("edged/mqtt/a.py", "os.open(p, os.O_RDONLY | os.O_CREAT)", "writes a file"),
    ("edged/mqtt/a.py", "os.fdopen(f, 'r+')", "writes a file"),
    ("edged/mqtt/a.py", "\n" * (MAX_LINES + 1), "401 lines"),
]

SOUND = [
    ("edged/serving/a.py", "from edged.serving.request import Request\nimport edged.errors"),
    (
        "edged/serving/a.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pathlib",
    ),
    ("edged/mqtt/a.py", "import paho.mqtt.client\nfrom edged.config import MqttConfig\nimport os"),
    ("edged/engine/worker/a.py", "import llama_cpp, jinja2, os\nfrom edged.engine import frames"),
    ("edged/engine/worker/a.py", "from edged.engine.worker.text import TextStream"),
    ("edged/engine/wait.py", "from edged.engine.frames import Load"),
    ("edged/daemon/a.py", "from edged.mqtt import session\nfrom edged.serving import ledger"),
    ("edged/cli.py", "from edged import __version__\nimport edged\nfrom edged import daemon"),
    ("edged/client/a.py", "import rich.table\nfrom edged.mqtt.topics import Topics"),
    ("edged/serving/ledger.py", "import sqlite3, os\nopen('x', 'rb')\np.open()\nopen('x')"),
    ("edged/files.py", "import os\nos.open(p, os.O_CREAT)\np.write_bytes(b'')"),
    ("edged/mqtt/a.py", "def open_line(): ...\nopen_line('w')\n" + "\n" * (MAX_LINES - 2)),
]


@pytest.mark.parametrize(("path", "source", "said"), BROKEN)
def test_a_breach_is_found(path: str, source: str, said: str) -> None:
    found = violations(path, source)
    assert len(found) == 1, found
    assert found[0].startswith(f"{path}: ")
    assert said in found[0]


@pytest.mark.parametrize(("path", "source"), SOUND)
def test_what_the_law_allows_is_not_blamed(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_the_list_of_pure_files_is_the_designs() -> None:
    for name in [
        "config",
        "errors",
        "health",
        "serving/message",
        "serving/request",
        "serving/admission",
        "serving/backlog",
        "serving/window",
        "serving/events",
        "serving/dispatcher",
        "engine/codec",
        "engine/frames",
        "engine/lifecycle",
        "engine/worker/text",
        "models/gguf",
        "mqtt/topics",
        "mqtt/packet",
        "mqtt/outbox",
        "mqtt/receipts",
        "telemetry/meter",
    ]:
        assert is_pure(f"edged/{name}.py"), name
    assert not is_pure("edged/serving/ledger.py")
    assert not is_pure("edged/files.py")


def test_the_first_line_of_the_table_that_fits_is_the_narrowest() -> None:
    patterns = [pattern for pattern, _ in ALLOWED]
    assert patterns.index("edged/engine/worker/*") < patterns.index("edged/engine/*")
    assert patterns.index("edged/engine/frames.py") < patterns.index("edged/engine/*")
