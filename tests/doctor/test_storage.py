from __future__ import annotations

from edged.doctor.facts import Files, ReadSpeed, Skipped
from edged.doctor.storage import models, storage
from edged.models.records import Quarantined, Record
from edged.models.store import Stored
from tests.doctor.judging import PI_5, SPEED, told

DIGEST = "0" * 64


def read(mb_s: float, size: int = 4_000_000_000) -> ReadSpeed:
    return ReadSpeed(file="a.gguf", size=size, read=int(mb_s * 1e6), seconds=1.0)


def stored(name: str, *, changed: bool = False, known: bool = True) -> Stored:
    record = Record(variant=name, bytes=1, sha256=DIGEST, digest=DIGEST, stamp=(1, 2, 3, 4))
    return Stored(file=name, bytes=1, record=record if known else None, changed=changed)


def test_a_fast_disk_and_a_slow_one() -> None:
    found = storage(PI_5, SPEED, 300.0)
    assert told(found) == ("storage", "ok")
    assert found.evidence == "80 MB/s from an SD card (64 MB of a.gguf); all of it takes 50 s"
    assert told(storage(PI_5, read(40.0), 300.0)) == ("storage", "ok")
    assert told(storage(PI_5, read(39.0), 300.0)) == ("storage_slow", "advice")


def test_a_model_that_cannot_be_read_in_time_is_an_error() -> None:
    assert told(storage(PI_5, read(13.0), 300.0)) == ("storage_too_slow", "error")


def test_a_disk_that_was_not_timed_says_why() -> None:
    assert told(storage(PI_5, Skipped("recorded"), 300.0)) == ("storage", "skipped")


def test_sound_files() -> None:
    files = Files(directory="/models", stored=(stored("a.gguf"), stored("b.gguf")))
    assert [told(each) for each in models(files)] == [("models", "ok")]
    assert [told(each) for each in models(Files(directory="/models"))] == [("models", "skipped")]


def test_a_folder_that_is_not_ours_is_not_called_empty() -> None:
    (found,) = models(Files(directory="/models", denied=True))
    assert told(found) == ("models", "skipped")
    assert "sudo" in found.text


def test_each_ill_file_is_named_with_its_reason() -> None:
    mark = Quarantined(variant="c", file="c.gguf", code="hash", reason="wrong sha256")
    files = Files(
        directory="/models",
        stored=(stored("a.gguf", changed=True), stored("b.gguf", known=False)),
        bad=(mark,),
        broken={"d.gguf": "cut off"},
    )
    found = {each.code: each for each in models(files)}
    assert {code: (each.severity, each.evidence) for code, each in found.items()} == {
        "model_broken": ("warning", "d.gguf: cut off"),
        "model_changed": ("warning", "a.gguf"),
        "model_quarantined": ("warning", "c.gguf: wrong sha256"),
        "model_unverified": ("advice", "b.gguf"),
    }
    assert found["model_broken"].text.startswith("one file")


def test_of_many_files_three_are_named() -> None:
    names = [f"{letter}.gguf" for letter in "abcde"]
    files = Files(directory="/models", stored=tuple(stored(name, known=False) for name in names))
    (found,) = models(files)
    assert found.text.startswith("5 files")
    assert found.evidence == "a.gguf; b.gguf; c.gguf; and 2 more"
