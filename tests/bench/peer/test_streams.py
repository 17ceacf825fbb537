"""Several prompts at once to edged and to a stand-in of llama-server, by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import synthetic
from bench.mixes import MIXES
from bench.peer import streams
from bench.peer.programs import Same
from bench.shapes import SHAPES
from tests.rig.broker import Broker

if TYPE_CHECKING:
    from pathlib import Path

    from bench.asking import Asked
    from bench.peer.served import Served

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]
COUNT = 2


@pytest.mark.usefixtures("fake_server")
def test_both_sides_answer_all_prompts_in_time_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "COUNTS", (COUNT,))
    model = tmp_path / "tiny.gguf"
    synthetic.write(model, SHAPES["tiny-spoken"], MIXES[synthetic.DEFAULT_MIX])
    with Broker() as broker:
        pairs = streams.measure(broker, Same(model=model, threads=1, context=256), 0)
    assert len(pairs) == streams.PAIRS
    for pair in pairs:
        assert pair.streams == len(pair.served) == COUNT
        assert [asked.tokens for asked in pair.asked] == [streams.TOKENS] * COUNT
        assert all(served.text for served in pair.served)
        answers: list[Asked | Served] = [*pair.asked, *pair.served]
        assert all(each.sent_s <= each.first_s <= each.end_s for each in answers)
        assert len({asked.reply["text"] for asked in pair.asked}) == COUNT
