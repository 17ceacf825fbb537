from __future__ import annotations

import pytest

from edged.daemon.notes import Notes
from edged.engine.events import EngineDied, EngineUp, LostRun
from edged.engine.frames import Load, Ready
from edged.engine.orders import GivenUp, Known
from edged.mqtt.packet import Disconnected
from edged.serving.effects import Finished, Noted
from edged.serving.request import Status, Timings, Usage
from tests.daemon.rooms import Rooms


@pytest.fixture(name="rooms")
def _rooms() -> Rooms:
    return Rooms()


@pytest.fixture(name="notes")
def _notes(rooms: Rooms) -> Notes:
    return Notes(rooms.journal, rooms.meter, rooms.health, rooms.sense)


def codes(rooms: Rooms) -> list[str]:
    return [problem.code for problem in rooms.health.visible(1e9)]


FINISHED = Finished(
    id="a1",
    client="lamp",
    status="ok",
    finish_reason="stop",
    usage=Usage(prompt_tokens=20, cached_tokens=10, completion_tokens=5),
    timings=Timings(queue_ms=1.0, ttft_ms=50.0, prompt_per_second=100.0, predicted_per_second=8.0),
    variant="pocket",
)


def test_an_answer_is_one_line_and_counts(rooms: Rooms, notes: Notes) -> None:
    notes.finished(FINISHED, 1.0)
    (line,) = rooms.lines
    for part in ("request_id=a1", "client=lamp", "tps=8.00", "ttft_ms=50.00", "temp_c=51.60"):
        assert part in line
    figures = rooms.meter.snapshot(1.0)
    assert figures.requests["ok"] == 1
    assert figures.pp_tps == pytest.approx(100.0)
    assert (figures.prompt_tokens, figures.completion_tokens) == (20, 5)


@pytest.mark.parametrize(
    ("status", "level"), [("rejected", "WARNING"), ("failed", "WARNING"), ("expired", "INFO")]
)
def test_refusals_and_failures_are_warnings(
    rooms: Rooms, notes: Notes, status: Status, level: str
) -> None:
    notes.finished(Finished(id="a1", client="", status=status, code="busy"), 1.0)
    assert rooms.lines[0].startswith(level)
    assert "code=busy" in rooms.lines[0]


def test_the_message_of_a_refusal_stays_out_of_the_log(rooms: Rooms, notes: Notes) -> None:
    bad = Finished(id="a1", client="", status="rejected", code="bad_json", message="my secret")
    notes.finished(bad, 1.0)
    assert "secret" not in rooms.log.getvalue()


def test_what_changed_nothing_is_noted(rooms: Rooms, notes: Notes) -> None:
    notes.noted(Noted(code="cancel_unknown", text="nothing by that id"), 1.0)
    notes.retained("edged/n/request")
    notes.dropped("Incoming")
    assert "cancel_unknown" in rooms.lines[0]
    assert "topic=edged/n/request" in rooms.lines[1]
    assert "Incoming dropped" in rooms.lines[2]


def died(retry_in: float | None) -> EngineDied:
    return EngineDied(
        signal="SIGSEGV",
        code=None,
        reason="SIGSEGV",
        message="last words with a prompt",
        during="decode",
        runs=(LostRun(key="k", during="decode", tokens_done=3),),
        retry_in=retry_in,
    )


def test_a_death_is_told_with_its_cause_and_not_its_last_words(rooms: Rooms, notes: Notes) -> None:
    notes.engine_died(died(1.0), 0.0)
    assert codes(rooms) == ["engine_down"]
    assert "signal=SIGSEGV" in rooms.lines[0]
    assert "last words" not in rooms.log.getvalue()


def test_giving_up_silences_the_death_and_a_child_that_answers_clears_both(
    rooms: Rooms, notes: Notes
) -> None:
    notes.engine_died(died(1.0), 0.0)
    notes.engine_died(died(None), 0.0)
    assert codes(rooms) == ["engine_fatal"]
    ready = Ready(
        n_ctx=1,
        n_ctx_train=1,
        n_params=1,
        n_vocab=1,
        description="",
        load_ms=2.0,
        selftest_ms=1.0,
        system_info="",
    )
    notes.engine_up(EngineUp(ready=ready, load=Load(path="/p")), "pocket")
    assert codes(rooms) == []


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("dns", "broker_unreachable"),
        ("bad_credentials", "broker_refused"),
        ("tls_certificate", "broker_untrusted"),
    ],
)
def test_a_lost_broker_is_named_by_cause(
    rooms: Rooms, notes: Notes, code: str, problem: str
) -> None:
    lost = Disconnected(code=code, reason="because", retry_in_s=3.0)
    notes.broker_lost(lost, "b:1883", 0.0)
    assert codes(rooms) == [problem]
    notes.broker_back("b:1883")
    assert codes(rooms) == []


def test_rules_of_the_broker_name_the_topic(rooms: Rooms, notes: Notes) -> None:
    notes.broker_denies("edged/n/request", "not authorised", 0.0, reading=True)
    notes.broker_denies("x", "not authorised", 0.0, reading=False)
    assert sorted(codes(rooms)) == ["publish_refused", "subscribe_refused"]
    notes.broker_grants()
    assert codes(rooms) == ["publish_refused"]


def test_a_lost_ledger_is_told_once_when_it_is_back(rooms: Rooms, notes: Notes) -> None:
    notes.ledger_back()
    assert rooms.lines == []
    notes.ledger_lost("disk full", 0.0)
    notes.ledger_back()
    assert len(rooms.lines) == 2
    assert codes(rooms) == []


@pytest.mark.parametrize(("missing", "code"), [(True, "model_missing"), (False, "model_bad")])
def test_a_bad_model_names_file_and_fault(
    rooms: Rooms, notes: Notes, missing: bool, code: str
) -> None:
    notes.model_bad("/m.gguf: empty", 0.0, missing=missing)
    assert codes(rooms) == [code]
    assert "/m.gguf: empty" in rooms.lines[0]


def test_a_mistake_of_ours_is_told_by_place_and_not_by_text(rooms: Rooms, notes: Notes) -> None:
    notes.mistake("Incoming", ValueError("a prompt"))
    assert "ValueError" in rooms.lines[0]
    assert "a prompt" not in rooms.lines[0]


def test_the_childs_stderr_is_debug(rooms: Rooms, notes: Notes) -> None:
    notes.engine_says(20, "llama says")
    assert rooms.lines[0].startswith("DEBUG")


def test_a_persona_that_is_ready_is_one_line_and_a_mark_none(rooms: Rooms, notes: Notes) -> None:
    notes.prefix_known(Known(name="butler", tokens=500, source="disk", ms=54.0))
    notes.prefix_known(Known(name=None, tokens=500, source="read", ms=45_000.0))
    ready, detail = rooms.lines
    assert ready == "INFO persona ready persona=butler tokens=500 source=disk read_ms=54.00"
    assert detail == "DEBUG prefix tokens=500 source=read read_ms=45000.00"


def test_a_persona_that_is_given_up_is_a_warning(rooms: Rooms, notes: Notes) -> None:
    notes.prefix_given_up(GivenUp(name="butler", reason="prompt_too_long"))
    notes.prefix_given_up(GivenUp(name=None, reason="decode_failed"))
    assert [line.split()[0] for line in rooms.lines] == ["WARNING", "DEBUG"]
    assert "persona=butler" in rooms.lines[0]


def test_a_disk_that_keeps_no_prefix_is_a_problem_until_it_does(rooms: Rooms, notes: Notes) -> None:
    notes.prefixes_not_saved("/var/cache/edged: No space left on device", 1.0)
    assert codes(rooms) == ["prefixes_not_saved"]
    notes.prefixes_saved()
    assert codes(rooms) == []
    notes.prefix_removed("a.state", "damaged")
    notes.prefix_step("learn", "prefix/butler")
    assert rooms.lines[1:] == [
        "NOTICE saved prefix removed reason=damaged path=a.state",
        "DEBUG prefix code=learn persona=prefix/butler",
    ]
