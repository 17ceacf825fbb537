"""The text the pocket model learns from: the same each time, well formed, never in both splits."""

# ruff: noqa: S311 - a test draws, it keeps no secret

import json
from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from bench.pocket import chat, commands, house, personas, prose, questions
from bench.pocket.corpus import SPECIAL, Dialogue, dialogues, held_out, render, split

SAMPLE = 1500


@pytest.fixture(scope="module")
def sample() -> list[Dialogue]:
    return list(islice(dialogues(11), SAMPLE))


def _answers(sample: list[Dialogue]) -> Iterator[str]:
    return (turn.text for dialogue in sample for turn in dialogue if turn.role == "assistant")


def test_the_same_seed_gives_the_same_dialogues(sample: list[Dialogue]) -> None:
    assert list(islice(dialogues(11), 200)) == sample[:200]
    assert list(islice(dialogues(12), 200)) != sample[:200]


def test_no_text_is_in_both_splits() -> None:
    held = {render(dialogue) for dialogue in islice(split(1, held=True), 100)}
    trained = {render(dialogue) for dialogue in islice(split(1, held=False), 4000)}
    assert not held & trained


def test_another_seed_does_not_leak_the_held_out_split() -> None:
    assert not any(held_out(dialogue) for dialogue in islice(split(2, held=False), 500))


def test_turns_alternate_and_end_with_an_answer(sample: list[Dialogue]) -> None:
    for dialogue in sample:
        roles = [turn.role for turn in dialogue]
        spoken = roles[1:] if roles[0] == "system" else roles
        assert spoken == ["user", "assistant"] * (len(spoken) // 2)
        assert spoken


def test_every_text_is_clean(sample: list[Dialogue]) -> None:
    for turn in (turn for dialogue in sample for turn in dialogue):
        assert turn.text == turn.text.strip() != ""
        assert turn.text.encode("utf-8").decode("utf-8") == turn.text
        assert not any(mark in turn.text for mark in SPECIAL)
        assert "|" not in turn.text


def test_no_template_is_left_unfilled(sample: list[Dialogue]) -> None:
    for answer in _answers(sample):
        assert "[" not in answer
        if "{" in answer:
            assert isinstance(json.loads(answer), dict)


def test_sentences_end_and_articles_agree(sample: list[Dialogue]) -> None:
    for answer in _answers(sample):
        assert " a a" not in answer
        assert " a o" not in answer
        assert "  " not in answer
        assert " ." not in answer


def test_answers_differ_in_length(sample: list[Dialogue]) -> None:
    lengths = sorted(len(answer.split()) for answer in _answers(sample))
    assert lengths[0] == 1
    assert lengths[-1] > 80
    assert len(set(_answers(sample))) > SAMPLE


def test_a_prompt_carries_the_fact_its_answer_states() -> None:
    rng = Random(5)
    for _ in range(300):
        fact = house.draw_facts(rng, 1, 1, 0)[0]
        assert fact.value in house.tell(rng, fact)
        assert fact.value in house.describe(rng, [fact])


def test_a_yes_means_the_state_asked_for() -> None:
    window = house.Fact("kitchen", "window", "open")
    for seed in range(100):
        asked, answered = questions.polar(Random(seed), [window]) or ("", "")
        assert answered.startswith("Yes" if "open" in asked else "No")


def test_the_warmest_room_is_the_warmest() -> None:
    rooms = [house.Fact("hall", "temperature", "15.0"), house.Fact("attic", "temperature", "27.5")]
    pairs = (questions.compare(Random(seed), rooms) for seed in range(60))
    for asked, answered in (pair for pair in pairs if pair):
        hot = "warmest" in asked or "hottest" in asked
        assert ("27.5" in answered) == hot


def test_a_count_lists_before_it_counts() -> None:
    lights = [house.Fact(room, "light", "on") for room in ("hall", "attic", "den")]
    told = [pair[1] for seed in range(200) if (pair := questions.count(Random(seed), lights))]
    assert any("three" in answer and "the attic" in answer.lower() for answer in told)


def test_an_order_as_json_holds_what_was_ordered() -> None:
    for seed in range(200):
        (_, answered), fact = commands.order(Random(seed), ["kitchen"])
        if answered.startswith("{"):
            body = json.loads(answered)
            held = house.Fact(body["room"], body["device"], body["state"])
            assert held == fact
        else:
            assert fact.value in answered


def test_a_summary_names_what_needs_a_hand() -> None:
    facts = [house.Fact("attic", "window", "open"), house.Fact("back door", "door", "unlocked")]
    _, told = prose.summary(Random(1), facts)
    assert "close the window in the attic" in told
    assert "lock the back door" in told


def test_off_topic_is_declined() -> None:
    for seed in range(50):
        _, answered = chat.off_topic(Random(seed))
        assert "house" in answered or "garden" in answered


def test_a_manner_leaves_data_alone() -> None:
    for seed in range(100):
        _, voice = personas.style(Random(seed))
        assert json.loads(voice(Random(seed), '{"room": "hall"}')) == {"room": "hall"}
