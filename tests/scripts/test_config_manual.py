from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from edged.settings import Config
from scripts.config_manual import entries, page

CONFIG = (Path(__file__).parents[2] / "config" / "edged.yaml").read_text()
SMALL = """# words
# of the head

# Which one.
#node: edged

mqtt:
  # Name of the broker.
  # For example:
  #   host: broker
  #host: localhost

  download:
    # .hidden
    #enabled: true

# The last.
personas: []
"""


def keys(struct: type, prefix: str = "") -> set[str]:
    found = set()
    for field in msgspec.structs.fields(struct):
        path = f"{prefix}{field.name}"
        default = field.default
        found.add(path)
        if isinstance(default, msgspec.Struct):
            found |= keys(type(default), f"{path}.")
    return found


def test_every_setting_has_its_place_in_the_page() -> None:
    assert {entry.path for entry in entries(CONFIG) if entry.path} == keys(Config)


def test_a_key_has_its_path_its_default_and_the_words_above_it() -> None:
    found = {entry.path: entry for entry in entries(SMALL)}
    above = ["", "node", "mqtt", "mqtt.host"]
    assert list(found) == [*above, "mqtt.download", "mqtt.download.enabled", "personas"]
    assert found[""].lines == ("words", "of the head")
    assert found["node"].default == "edged"
    assert found["mqtt"].default is None
    assert found["mqtt.host"].lines == ("Name of the broker.", "For example:", "  host: broker")
    assert found["personas"].default == "[]"


def test_examples_stand_as_they_are_and_no_word_becomes_a_command() -> None:
    lines = page(SMALL).splitlines()
    example = lines.index("  host: broker")
    assert lines[example - 2 : example] == [".RS 4", ".nf"]
    assert lines[example + 1 : example + 3] == [".fi", ".RE"]
    assert "\\&.hidden" in lines


@pytest.mark.process
@pytest.mark.skipif(shutil.which("man") is None, reason="needs man-db")
def test_man_reads_it_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "edged.yaml.5"
    path.write_text(page(CONFIG))
    done = subprocess.run(
        ["man", "--warnings", "-l", path], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert "mqtt.host (default: localhost)" in done.stdout
