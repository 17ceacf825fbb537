"""The peers bench compares like with like, and says so where it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.asking import Asked
from bench.peer.pairs import DiskPair, Measured, RatePair, StreamPair, WarmPair
from bench.peer.reports import BenchRow, Timings
from bench.peer.served import Served
from bench.peer.verdict import judge
from bench.peer.wrongs import notes
from bench.tasks import Run

if TYPE_CHECKING:
    from bench.report import Figure

TOKENS = 129
STREAM_TOKENS = 64


def asked(
    ttft_s: float = 1.0,
    span_s: float = 1.0,
    *,
    tokens: int = 2,
    prompt: int = 1012,
    cached: int = 992,
) -> Asked:
    reply = {
        "text": "word",
        "usage": {
            "prompt_tokens": prompt,
            "cached_tokens": cached,
            "completion_tokens": tokens,
        },
    }
    end = 10.0 + ttft_s + span_s
    return Asked(reply=reply, streamed="word", sent_s=10.0, first_s=10.0 + ttft_s, end_s=end)


def row(*, prompt: int = 0, gen: int = 0, seconds: float = 1.0) -> BenchRow:
    return BenchRow(
        n_prompt=prompt,
        n_gen=gen,
        n_depth=0,
        samples_ns=(int(seconds * 1e9),),
        n_threads=2,
        n_batch=512,
        n_ubatch=512,
        type_k="f16",
        type_v="f16",
        repack=True,
    )


def reading(seconds: float = 5.12, *, prompt: int = 512, cached: int = 0) -> RatePair:
    answer = asked(seconds, tokens=1, prompt=prompt, cached=cached)
    return RatePair(asked=answer, cores=1.9, row=row(prompt=512, seconds=5.12))


def decoding(seconds: float = 4.0) -> RatePair:
    answer = asked(span_s=seconds, tokens=TOKENS, prompt=21, cached=0)
    return RatePair(asked=answer, cores=1.9, row=row(gen=128, seconds=4.0))


def served(ttft_s: float = 1.0, end_s: float = 2.0, *, tokens: int = 2, read: int = 20) -> Served:
    timings = Timings(cache_n=992, prompt_n=read, prompt_ms=1.0, predicted_n=tokens, predicted_ms=1)
    return Served(text="word", timings=timings, sent_s=0.0, first_s=ttft_s, end_s=end_s)


def stream(count: int, asked_s: float = 4.0) -> StreamPair:
    one = asked(span_s=asked_s - 1.0, tokens=STREAM_TOKENS)
    return StreamPair(
        asked=(one,) * count, served=(served(end_s=4.0, tokens=STREAM_TOKENS),) * count
    )


ALONE = Run(text="word", prompt_tokens=20, tokens=2, ttft_ms=1000.0, span_ms=50.0)


def warm(asked_s: float = 1.0, served_s: float = 1.0) -> WarmPair:
    return WarmPair(asked=asked(asked_s), served=served(served_s), alone=ALONE)


def measured(**parts: object) -> Measured:
    whole = Measured(
        rates=(reading(), decoding()),
        streams=(stream(4), stream(8)),
        warm=(warm(),),
        disk=(DiskPair(asked=asked(1.1), alone=ALONE, ready_s=3.0, source="disk"),),
        tokens=TOKENS,
        stream_tokens=STREAM_TOKENS,
        warm_tokens=2,
    )
    return msgspec.structs.replace(whole, **parts)


def figures(found: Measured) -> dict[str, Figure]:
    return {figure.name: figure for figure in judge(found, {}).figures}


def missed(found: Measured) -> list[str]:
    return [figure.name for figure in judge(found, {}).figures if not figure.ok]


def test_equal_sides_meet_every_goal() -> None:
    result = judge(measured(), {"threads": 2})
    assert result.ok
    assert result.notes == ()
    assert result.conditions == {
        "threads": 2,
        "rate pairs": 2,
        "pairs of simultaneous prompts": 2,
        "warm pairs": 1,
        "restarts": 1,
    }


def test_rates_are_those_the_client_saw() -> None:
    read, decoded = (reading(), reading(10.24), reading(5.2)), map(decoding, (4.0, 8.0, 4.04))
    found = figures(measured(rates=(*read, *decoded)))
    assert found["tg128 over MQTT / llama-bench, 2 threads"].value == pytest.approx(4.0 / 4.04)
    assert found["lowest tg128 ratio of a pair, 2 threads"].value == pytest.approx(0.5)
    assert found["highest tg128 ratio of a pair, 2 threads"].value == pytest.approx(1.0)
    assert found["tg128 of llama-bench, 2 threads"].value == pytest.approx(32.0)
    assert found["pp512 over MQTT / llama-bench, 2 threads"].value == pytest.approx(5.12 / 5.2)
    assert found["pp512 over MQTT, 2 threads"].value == pytest.approx(512 / 5.2)


def test_each_number_of_threads_is_held_to_the_goals() -> None:
    one = msgspec.structs.replace(row(gen=128, seconds=4.0), n_threads=1)
    alone = msgspec.structs.replace(decoding(8.0), row=one, cores=0.9)
    reads = msgspec.structs.replace(row(prompt=512, seconds=5.12), n_threads=1)
    pairs = (reading(), decoding(), alone, msgspec.structs.replace(reading(), row=reads))
    assert missed(measured(rates=pairs)) == ["tg128 over MQTT / llama-bench, 1 threads"]


def test_tokens_that_were_known_do_not_count_as_read() -> None:
    half = reading(cached=256)
    assert half.ratio == pytest.approx(0.5)
    assert "partly known" in notes(measured(rates=(half,)))[0]


def test_slow_rates_miss_their_goals() -> None:
    assert missed(measured(rates=(reading(5.3), decoding(4.1)))) == [
        "tg128 over MQTT / llama-bench, 2 threads",
        "pp512 over MQTT / llama-bench, 2 threads",
    ]


def test_prompts_at_once_are_judged_for_each_number() -> None:
    found = measured(streams=(stream(4), stream(8, asked_s=5.0)))
    values = figures(found)
    assert values["4 prompts at once over MQTT"].value == pytest.approx(64.0)
    assert values["8 prompts at once of llama-server"].value == pytest.approx(128.0)
    assert missed(found) == ["8 prompts at once, over MQTT / llama-server -np 8"]


def test_the_first_word_is_held_against_both_peers() -> None:
    assert missed(measured(warm=(warm(1.05),))) == [
        "warm TTFT over MQTT / llama-server with cache_prompt"
    ]
    assert missed(measured(warm=(warm(1.2, served_s=1.3),))) == [
        "warm TTFT over MQTT / the question alone"
    ]


def test_after_a_restart_200_ms_more_are_allowed() -> None:
    def restart(ttft_s: float) -> Measured:
        return measured(
            disk=(DiskPair(asked=asked(ttft_s), alone=ALONE, ready_s=3.0, source="disk"),)
        )

    name = "TTFT after a restart less 1.1 x alone"
    assert figures(restart(1.25))[name].value == pytest.approx(150.0)
    assert missed(restart(1.25)) == []
    assert missed(restart(1.35)) == [name]


def test_an_answer_cut_short_misses_the_goal() -> None:
    cut = StreamPair(asked=(asked(tokens=3),), served=(served(tokens=STREAM_TOKENS),))
    found = measured(streams=(stream(4), cut))
    assert figures(found)["answers cut short"].value == 1
    assert "answers cut short" in missed(found)


def test_a_refusal_misses_the_goal_however_fast_it_came() -> None:
    refused = asked(0.01, tokens=0, prompt=0, cached=0)
    unasked = WarmPair(asked=refused, served=served(), alone=ALONE)
    assert missed(measured(warm=(unasked,))) == ["answers cut short"]
    restart = DiskPair(asked=refused, alone=ALONE, ready_s=3.0, source="disk")
    assert missed(measured(disk=(restart,))) == ["answers cut short"]


def test_nothing_measured_meets_no_goal() -> None:
    nothing = measured(rates=(), streams=(), warm=(), disk=())
    assert len(missed(nothing)) == 3
    assert missed(measured(rates=(reading(),))) == ["tg128 over MQTT / llama-bench, 2 threads"]


def test_unequal_work_is_told() -> None:
    assert "length" in notes(measured(rates=(reading(prompt=500),)))[0]
    unlike = msgspec.structs.replace(asked(), streamed="wor")
    torn = WarmPair(asked=unlike, served=served(), alone=ALONE)
    assert "deltas" in notes(measured(warm=(torn,)))[0]


def test_pairs_in_which_others_computed_are_left_out() -> None:
    slow = msgspec.structs.replace(decoding(8.0), others=0.9)
    found = measured(rates=(reading(), decoding(), slow, slow))
    assert missed(found) == []
    assert figures(found)["pairs in which others computed"].value == pytest.approx(100 * 2 / 8)
    assert notes(found) == ()
    busy = msgspec.structs.replace(stream(4, asked_s=9.0), others=0.9)
    assert missed(measured(streams=(stream(4), busy))) == []


def test_without_a_quiet_pair_the_busy_ones_count_and_that_is_told() -> None:
    slow = msgspec.structs.replace(decoding(8.0), others=0.9)
    found = measured(rates=(slow, msgspec.structs.replace(reading(), others=0.9)))
    assert missed(found) == ["tg128 over MQTT / llama-bench, 2 threads"]
    assert "not to be trusted" in notes(found)[0]


def test_fewer_threads_than_the_peers_are_told() -> None:
    spared = msgspec.structs.replace(reading(9.0), cores=1.02)
    found = measured(rates=(spared, decoding()))
    assert figures(found)["cores of pp512 over MQTT, 2 threads"].value == pytest.approx(1.02)
    assert "fewer threads" in notes(found)[0]


def test_a_prefix_read_again_is_told() -> None:
    cold = WarmPair(asked=asked(cached=0), served=served(read=1012), alone=ALONE)
    assert len(notes(measured(warm=(cold,)))) == 2
    anew = DiskPair(asked=asked(), alone=ALONE, ready_s=9.0, source="read")
    forgot = DiskPair(asked=asked(cached=0), alone=ALONE, ready_s=3.0, source="disk")
    for restart in (anew, forgot):
        assert "restart" in notes(measured(disk=(restart,)))[0]


def test_series_share_a_plot_only_with_their_like() -> None:
    units = {series.name: series.unit for series in judge(measured(), {}).series}
    assert units["tg128 over MQTT, 2 threads"] == units["tg128 of llama-bench, 2 threads"]
    assert units["tg128 over MQTT, 2 threads"] != units["pp512 over MQTT, 2 threads"]
    assert units["warm TTFT over MQTT"] == units["the question alone"] == "ms"
    assert "8 at once, llama-server" in units
