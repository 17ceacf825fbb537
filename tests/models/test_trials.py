from __future__ import annotations

import msgspec
import pytest

from edged.models.amounts import amounts
from edged.models.made import size
from edged.models.trials import (
    DEEP,
    DEEP_BLOCKS,
    DEEP_EXPERTS,
    DENSE_LEAST,
    DENSE_MOST,
    DEPTH,
    EXPERT_MOST,
    FAR,
    FAR_CACHES,
    FAR_LEAST,
    FAR_SHARE,
    FEWEST_DECODED,
    FEWEST_EXPERTS,
    MAPPED_MOST,
    MOST_DECODED,
    NEAR,
    ONCE,
    REFERENCE,
    ROUNDS,
    THIN,
    WIDE,
    Timing,
    Trial,
    doubtful,
    plan,
    repetitions,
    rounds,
)

CACHE = 2 << 20  # of a Pi 5


def named(name: str, cache: int = CACHE) -> Trial:
    return next(trial for trial in plan((), cache) if trial.name == name)


def test_only_what_the_cpu_rearranges_is_tried_twice() -> None:
    def twice(*features: str) -> set[str]:
        return {trial.shape.expert_kind for trial in plan(features, CACHE) if trial.repack}

    assert twice() == set()
    assert {"q4_0", "q4_K"} <= twice("avx2")
    assert "q6_K" in twice("asimddp")
    assert all(trial.depth in {0, DEPTH} for trial in plan((), CACHE))


def test_a_larger_cache_makes_larger_models() -> None:
    small, large = (named(f"experts {REFERENCE}", cache).shape for cache in (2 << 20, 32 << 20))
    assert small.experts < large.experts <= 128
    assert small.experts % small.used == 0


def test_no_model_is_larger_than_a_board_has_room_for() -> None:
    for trial in plan(("avx2", "asimddp"), 1 << 30):
        size = amounts(trial.shape, "decode")
        experts = size.experts * trial.shape.experts / max(1, trial.shape.used)
        # so few experts as are needed to choose among may take more
        few = trial.shape.experts == FEWEST_EXPERTS
        assert size.dense <= DENSE_MOST
        most = EXPERT_MOST if trial.repack else MAPPED_MOST
        assert few or experts <= most
        assert experts <= 1.2 * most


def test_in_a_prompt_every_model_passes_the_weights_that_it_is_to_time() -> None:
    for trial in plan((), CACHE):
        found = amounts(trial.shape, "prefill")
        assert found.experts > 0 if trial.name.startswith("experts") else found.dense > 0
    assert amounts(named("dense f16").shape, "decode").dense >= DENSE_LEAST / 2


def test_a_repetition_takes_as_many_tokens_as_make_it_long_enough() -> None:
    small, large = named(ONCE).decoded, named("dense f16", 1 << 30).decoded
    assert small == MOST_DECODED
    assert FEWEST_DECODED <= large < small / 4


def test_models_of_next_to_no_weights_are_alike_but_for_one_thing() -> None:
    wide, thin = named(WIDE).shape, named(THIN).shape
    assert msgspec.structs.replace(wide, width=thin.width, layers=thin.layers) == thin
    assert wide.width > thin.width
    assert (
        amounts(thin, "decode").dense
        < amounts(named(f"dense {REFERENCE}").shape, "decode").dense / 10
    )


@pytest.mark.parametrize("cache", [CACHE, 32 << 20, 480 << 20])
def test_beyond_any_cache_experts_of_one_usual_type_are_tried(cache: int) -> None:
    planned = plan((), cache, memory_bytes=16 << 30)
    (far,) = [trial for trial in planned if trial.name.startswith(FAR)]
    found = amounts(far.shape, "decode")
    every = found.experts * far.shape.experts / far.shape.used
    most = max(FAR_LEAST, FAR_CACHES * cache)
    assert 0.8 * most < every <= most
    near = {trial.name: trial.shape for trial in planned}["experts q4_K"]
    assert (far.shape.width, far.shape.ff) == (near.width, near.ff)
    assert near.experts * near.layers < far.shape.experts * far.shape.layers / 2


@pytest.mark.parametrize("cache", [32 << 20, 480 << 20])
@pytest.mark.parametrize("memory", [4 << 30, 0])
def test_none_is_where_memory_is_short(cache: int, memory: int) -> None:
    planned = plan((), cache, memory_bytes=memory)
    assert not any(trial.name.startswith(FAR) for trial in planned)
    experts = {trial.name: trial.shape for trial in planned}["experts q4_K"]
    assert size(experts) > 1.5 * NEAR, "as far beyond the cache as the others may be"


def test_deep_models_have_as_many_blocks_with_experts_as_memory_allows() -> None:
    def blocks(memory: int) -> list[int]:
        planned = plan((), CACHE, memory_bytes=memory)
        assert named(DEEP).shape.layers == DEEP_BLOCKS
        return [trial.shape.layers for trial in planned if trial.name == DEEP_EXPERTS]

    (some,), (more,) = blocks(4 << 30), blocks(24 << 30)
    assert 4 < some < more <= DEEP_BLOCKS
    assert blocks(64 << 30) == [more], "more would tell nothing else"
    assert blocks(1 << 30) == []


def test_what_is_large_is_hollow() -> None:
    for trial in plan((), CACHE, memory_bytes=16 << 30):
        if size(trial.shape) > FAR_LEAST // 2:
            assert trial.shape.hollow, trial.name
            assert size(trial.shape) < 1.2 * (16 << 30) / FAR_SHARE


def test_each_is_loaded_in_every_round_and_reads_in_the_first() -> None:
    planned = plan((), CACHE)
    loaded = rounds(planned)
    assert loaded[: len(planned)] == planned
    later = loaded[len(planned) :]
    assert [trial.name for trial in later] == [trial.name for trial in planned] * (ROUNDS - 1)
    assert {trial.read for trial in later} == {0}


def timing(name: str, *decode: float, threads: int = 1, repack: bool = False) -> Timing:
    return Timing(trial=name, repack=repack, threads=threads, decode=decode)


def test_repetitions_of_all_rounds_come_together() -> None:
    found = repetitions([timing("a", 1.0), timing("a", 2.0, threads=2), timing("a", 3.0, 4.0)])
    assert found == {("a", False, 1, 0): [1.0, 3.0, 4.0], ("a", False, 2, 0): [2.0]}


def test_what_rounds_disagree_about_is_timed_again_most_first() -> None:
    planned = plan(("avx2",), CACHE)
    calm = [timing(ONCE, 1.0), timing(ONCE, 1.04), timing("dense q4_K", 1.0, 1.5, repack=True)]
    wild = [timing(THIN, 1.0, threads=2), timing(THIN, 2.0, threads=2), timing(WIDE, 0.0, 0.0)]
    again = doubtful(planned, [*calm, *wild])
    assert [(trial.name, trial.repack) for trial in again] == [
        (THIN, False),
        ("dense q4_K", True),
    ]
    assert {trial.read for trial in again} == {0}
