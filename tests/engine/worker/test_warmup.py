"""What is measured before READY, and what a broken model says there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edged.engine.worker.context import ABORTED, Context, DecodeError
from edged.engine.worker.model import LoadError, Model
from edged.engine.worker.native import NO_ABORT
from edged.engine.worker.warmup import READ_TOKENS, most_streams, try_streams, warm
from tests.engine.harness import POCKET, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.skipif(not POCKET.exists(), reason="no pocket model")


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(str(POCKET), lambda _: None, repack=True)


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    context = Context(model, load(), 4)
    yield context
    context.close()


@pytest.mark.parametrize(
    ("rates", "target", "streams"),
    [
        ((), 8.0, 1),
        ((7.9,), 8.0, 1),
        ((20.0, 12.0, 7.0), 8.0, 2),
        ((20.0, 12.0, 8.0, 5.0), 8.0, 4),
        ((20.0, 7.0, 9.0), 8.0, 4),
        ((3.0, 2.0), 0.0, 2),
    ],
)
def test_as_many_streams_as_keep_the_target(
    rates: tuple[float, ...], target: float, streams: int
) -> None:
    assert most_streams(rates, target) == streams


def test_it_measures_one_two_and_four_and_leaves_nothing(model: Model, context: Context) -> None:
    measured = warm(context, model, 4, NO_ABORT)
    assert len(measured.rates) == 3
    assert min(measured.rates) > 0
    assert measured.read_s > 0
    assert (measured.tokens, measured.state_bytes > 1024) == (READ_TOKENS, True)
    assert [context.memory.length(sequence) for sequence in range(4)] == [0] * 4


def test_who_asks_for_less_reads_less(model: Model, context: Context) -> None:
    some, one = (warm(context, model, 1, NO_ABORT, tokens=tokens) for tokens in (READ_TOKENS, 1))
    assert one.tokens == 1
    assert one.state_bytes < some.state_bytes / 8
    assert one.read_s > 0


def test_one_step_is_enough_where_nobody_asks_for_a_rate(
    model: Model, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    decode = context.decode

    def counted(abort: Any) -> int:
        nonlocal steps
        steps += 1
        return decode(abort)

    monkeypatch.setattr(context, "decode", counted)
    measured = warm(context, model, 1, NO_ABORT, tokens=1, steps=0)
    assert (steps, len(measured.rates)) == (3, 1)
    assert measured.rates[0] > 0


def test_streams_beyond_a_missed_target_are_not_tried(model: Model) -> None:
    assert len(try_streams(model, load(target_tps=1e4), NO_ABORT).rates) == 1
    assert len(try_streams(model, load(target_tps=0.0), NO_ABORT).rates) == 4


def test_a_recurrent_model_has_one_stream_unless_told(tiny: Mapping[str, Path]) -> None:
    recurrent = Model(str(tiny["tiny-mamba2"]), lambda _: None, repack=True)
    assert len(try_streams(recurrent, load(target_tps=0.0), NO_ABORT).rates) == 1


def refuse(code: int) -> Any:
    def decode(*_: object) -> int:
        if code < 0:
            message = f"llama_decode returned {code}"
            raise DecodeError(message)
        return code

    return decode


@pytest.mark.parametrize("code", [ABORTED, -3])
def test_a_model_that_does_not_compute(
    model: Model, context: Context, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(context, "decode", refuse(code))
    with pytest.raises(LoadError, match=f"returned {code}") as caught:
        warm(context, model, 1, NO_ABORT)
    assert caught.value.code == "self_test"


def test_a_model_that_computes_no_numbers(
    model: Model, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "logits_are_finite", lambda: False)
    with pytest.raises(LoadError, match="NaN"):
        warm(context, model, 1, NO_ABORT)


@pytest.mark.parametrize("kv_type", ["f16", "q8_0"])
@pytest.mark.parametrize("repack", [True, False])
def test_every_kind_of_cache_computes(kv_type: Any, repack: bool) -> None:
    model = Model(str(POCKET), lambda _: None, repack=repack)
    context = Context(model, load(kv_type=kv_type, flash_attention="on"), 1)
    assert len(warm(context, model, 1, NO_ABORT).rates) == 1
    context.close()


def test_q8_0_without_flash_attention_is_told(model: Model) -> None:
    with pytest.raises(LoadError) as caught:
        Context(model, load(kv_type="q8_0", flash_attention="off"), 1)
    assert caught.value.code == "no_context"
