from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from edged.daemon.errand import DiskDone
from edged.daemon.items import Tick
from edged.daemon.lookout import LOOK_S, SIGNS_S
from edged.daemon.model import open_model
from edged.daemon.notes import Notes
from edged.daemon.outlook import Rung, View, Wish, World
from edged.daemon.selection import IDLE_S, Selection
from edged.daemon.timing import DEEP_TG, KEY
from edged.engine.events import EngineDied, EngineUp
from edged.engine.frames import Failed, Load, Measured, Ready
from edged.models.figures import Depth
from edged.models.progress import Evicted, Fetched, FetchFailed, Pinned, Progress
from edged.models.signs import Signs
from edged.models.variants import Variant
from edged.serving import events
from edged.settings import Config
from tests.daemon.rooms import Rooms
from tests.engine.harness import POCKET
from tests.serving.make import completed, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Coroutine, Sequence

    from edged.daemon.changing import Changer
    from edged.daemon.model import Model
    from edged.engine.supervisor import Supervisor
    from edged.models.figures import Measurement

UP = EngineUp(
    ready=Ready(
        n_ctx=512,
        n_ctx_train=512,
        n_params=1,
        n_vocab=2,
        description="",
        load_ms=1.0,
        selftest_ms=1.0,
        system_info="",
    ),
    load=Load(path="/p.gguf"),
)
DIED = EngineDied(
    signal="SIGSEGV",
    code=None,
    reason="SIGSEGV",
    message="",
    during="load",
    runs=(),
    retry_in=1.0,
)


SHALLOW = Measured(key=KEY, pp_ms=(512.0, 512.0), tg_ms=(128.0, 128.0))
DEEP = Measured(key=KEY, tg_ms=(32.0, 32.0))


def model(name: str) -> Model:
    return open_model(Config(), POCKET, name)


class FakeFetcher:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    def start(self, variant: Variant, keep: Collection[str] = ()) -> None:
        self.asked.append((variant.id, set(keep)))

    def cancel(self) -> None:
        self.asked.append("cancel")

    def close(self) -> None:
        self.asked.append("close")


class House:
    """A selection over fake rooms; what a look finds is set by the test."""

    def __init__(self) -> None:
        self.rooms = Rooms()
        self.items: asyncio.Queue[object] = asyncio.Queue()
        self.views: dict[str, Any] = {"best": "pocket", "local": "pocket"}
        self.error: Exception | None = None
        self.wishes: list[Wish] = []
        self.kept: list[Measurement] = []
        self.asked: list[str] = []
        self.timed: list[Any] = []
        self.fetcher = FakeFetcher()
        self.standing = Signs(have=100)
        self.checks = 0
        self.calibrations = 0
        self.read: list[list[str]] = []
        self.quarantined: list[tuple[str, str, str]] = []
        self.rate: float | None = None
        self.cool = True
        self.trial: Model | None = None
        self.better: Model | None = None
        self.gate = asyncio.Event()
        # The changer's part.
        self.model = model("pocket")
        self.busy = False
        self.saving = False
        self.unsettled = False
        self.selection = Selection(
            survey=self,
            changer=cast("Changer", self),
            engine=cast("Supervisor", self),
            open_fetcher=lambda: self.fetcher,
            world=World(
                self.rooms.dispatcher,
                self.rooms.session,
                self.rooms.topics,
                Notes(self.rooms.journal, self.rooms.meter, self.rooms.health, self.rooms.sense),
                self.rooms.clock,
                lambda _: self.rate,
                lambda: self.cool,
            ),
            post=self.items.put_nowait,
            wish=Wish(target_tps=8.0),
        )
        ready = events.EngineReady(variant="pocket", n_ctx=512, streams=1)
        self.rooms.dispatcher.on(ready, 0.0)

    pid = 4711

    def look(self, wish: Wish, pid: int | None) -> View:
        assert pid == self.pid
        self.wishes.append(wish)
        if self.error is not None:
            raise self.error
        local = self.views["local"]
        found: dict[str, Any] = {
            "board": "b",
            "trial": self.trial,
            "model": self.better or (None if local is None else model(local)),
            "payload": msgspec.json.encode(self.views),
            "sentence": "because",
            **self.views,
        }
        return View(**found)

    def signs(self, pid: int | None) -> Signs:
        assert pid == self.pid
        self.checks += 1
        return self.standing

    def keep(self, measurement: Measurement) -> None:
        self.kept.append(measurement)

    def quarantine(self, file: str, variant: str, reason: str) -> None:
        self.quarantined.append((file, variant, reason))

    async def read_headers(self, variants: Sequence[Variant]) -> AsyncIterator[str]:
        self.read.append([variant.id for variant in variants])
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        for variant in variants:
            yield f"{variant.id}: its header is known"

    async def calibrate(self, _clock: object, pid: int | None) -> None:
        assert pid == self.pid
        self.calibrations += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error

    def ask(self, wanted: Model, _now: float) -> list[Any]:
        self.asked.append(wanted.view.name)
        self.model = wanted
        return []

    def measure(self, frame: Any) -> None:
        self.timed.append(frame)

    def arrive(self) -> None:
        """Somebody asks."""
        arrived = events.Arrived(
            request=request("q"),
            ticket=None,  # type: ignore[arg-type]
            dup=False,
            fingerprint=None,
        )
        self.rooms.dispatcher.on(arrived, self.rooms.clock.monotonic())

    def complete(self) -> None:
        """He is answered."""
        self.rooms.dispatcher.on(completed(request("q").key), self.rooms.clock.monotonic())

    async def seen(self) -> None:
        """The result of a look has come; signs on the way are taken too."""
        while isinstance(await self.taken(), Signs):
            pass

    async def taken(self) -> object:
        item = await asyncio.wait_for(self.items.get(), 10)
        self.selection.hear(item, self.rooms.clock.monotonic())
        return item.result if isinstance(item, DiskDone) else item

    async def started(self) -> None:
        self.selection.start()
        await self.seen()
        self.selection.hear(UP, self.rooms.clock.monotonic())

    async def told(self, frame: Measured) -> None:
        """The child measured, and what follows from it was looked at."""
        self.selection.hear(frame, self.rooms.clock.monotonic())
        await self.seen()

    async def settled(self) -> None:
        """What was cancelled has ended."""
        await asyncio.sleep(0.01)

    async def until(self, word: str, rung: int) -> None:
        """Let time pass, half a minute at a time, until the journal says so."""
        for _ in range(300):
            self.after(30.0)
            await asyncio.sleep(0.001)
            while not self.items.empty():
                await self.taken()
            if any(word in line for line in self.rooms.lines):
                while self.wishes[-1].rung != rung:  # a look that was under way comes first
                    await self.taken()
                return
        raise AssertionError(self.rooms.lines)

    def after(self, seconds: float) -> None:
        self.rooms.clock.advance(seconds)
        self.selection.hear(Tick(), self.rooms.clock.monotonic())

    @property
    def updates(self) -> list[Any]:
        """Each once: what is published again is the same."""
        sent = self.rooms.fake_session.on(self.rooms.topics.update)
        assert all((each.qos, each.retain) == (1, True) for each in sent)
        told = [msgspec.json.decode(each.payload) for each in sent]
        return [each for number, each in enumerate(told) if each not in told[:number]]

    @property
    def published(self) -> list[Any]:
        sent = self.rooms.fake_session.on(self.rooms.topics.selection)
        return [msgspec.json.decode(outgoing.payload) for outgoing in sent]


def update(installed: str, latest: str, **progress: Any) -> dict[str, Any]:
    return {"installed_version": installed, "latest_version": latest, **progress}


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_a_child_about_to_go_is_known_as_such() -> None:
    house = House()
    told = [house.selection.changing]
    house.unsettled = True
    assert [*told, house.selection.changing] == [False, True]


def test_the_best_on_disk_is_loaded_told_and_timed() -> None:
    async def scene() -> None:
        house = House()
        house.views = {"best": "big", "local": "big"}
        await house.started()
        assert house.asked == ["big"]
        assert house.published == [{"best": "big", "local": "big"}]
        assert "NOTICE model chosen reason=because variant=big" in house.rooms.lines
        house.after(IDLE_S)
        (asked,) = house.timed
        assert (asked.key, asked.pp, asked.tg, asked.repeat) == (KEY, 512, 128, 3)
        house.after(IDLE_S)
        assert len(house.timed) == 1
        house.views["measured"] = frozenset({"big"})
        pp_ms, tg_ms = (900.0, 512.0, 256.0), (128.0, 64.0, 256.0)
        await house.told(Measured(key=KEY, pp_ms=pp_ms, tg_ms=tg_ms))
        (kept,) = house.kept
        assert (kept.tps, kept.pp, kept.board) == (1000.0, 2000.0, "b")
        assert kept.error > 0
        house.after(IDLE_S)
        _, deep = house.timed
        assert (deep.key, deep.depth, deep.pp, deep.tg) == (KEY, 2048 - DEEP_TG, 0, DEEP_TG)
        house.after(IDLE_S)
        assert len(house.timed) == 2
        await house.told(Measured(key=KEY, tg_ms=(64.0, 64.0, 64.0)))
        assert house.kept[1].depths == (Depth(0, 1000.0), Depth(2048 - DEEP_TG, 500.0))
        house.after(IDLE_S)
        assert len(house.timed) == 2
        house.selection.stop()

    play(scene())


def test_nobody_is_kept_waiting_by_a_measurement() -> None:
    async def scene() -> None:
        house = House()
        await house.started()
        house.arrive()
        house.after(IDLE_S * 2)
        assert house.timed == []
        house.complete()
        house.after(IDLE_S / 2)
        assert house.timed == []
        house.cool = False
        house.after(IDLE_S * 2)
        assert house.timed == [], "one would measure the heat"
        house.cool, house.saving = True, True
        house.after(IDLE_S * 2)
        assert house.timed == [], "what was read would be lost with the child that is timed"
        house.saving = False
        house.after(IDLE_S)
        assert len(house.timed) == 1
        interrupted = Failed(key=KEY, code="interrupted", message="")
        house.selection.hear(interrupted, house.rooms.clock.monotonic())
        house.after(IDLE_S)
        assert len(house.timed) == 2
        house.selection.stop()

    play(scene())


def test_what_cannot_be_timed_is_not_tried_for_ever() -> None:
    async def scene() -> None:
        house = House()
        await house.started()
        for _ in range(20):
            house.after(IDLE_S)
            failed = Failed(key=KEY, code="too_deep", message="")
            house.selection.hear(failed, house.rooms.clock.monotonic())
        assert len(house.timed) == 8
        house.selection.stop()

    play(scene())


def test_who_asks_for_it_has_it_timed_again_once() -> None:
    async def scene() -> None:
        house = House()
        house.views["measured"] = frozenset({"pocket"})
        await house.started()
        house.after(IDLE_S)
        assert house.timed == []
        house.selection.time_again()
        house.after(IDLE_S)
        assert len(house.timed) == 1
        await house.told(Measured(key=KEY, pp_ms=(900.0, 512.0), tg_ms=(128.0, 64.0, 256.0)))
        house.after(IDLE_S)
        await house.told(DEEP)
        house.after(IDLE_S)
        assert len(house.timed) == 2
        house.selection.stop()

    play(scene())


def other_type(name: str) -> Model:
    known = model(name)
    load = msgspec.structs.replace(known.load, kv_type="q8_0")
    return msgspec.structs.replace(known, load=load)


def other_way(name: str) -> Model:
    known = model(name)
    load = msgspec.structs.replace(known.load, repack=False)
    return msgspec.structs.replace(known, load=load)


def test_what_can_be_loaded_in_two_ways_is_timed_in_both_and_left_in_the_better() -> None:
    async def scene() -> None:
        house = House()
        house.views["measured"] = frozenset({"pocket"})
        house.trial = other_way("pocket")
        await house.started()
        house.arrive()
        house.after(IDLE_S)
        assert house.asked == [], "a reload is for when nobody asks"
        house.complete()
        house.after(IDLE_S)
        assert [house.asked, house.model.load.repack] == [["pocket"], False]
        house.selection.hear(UP, house.rooms.clock.monotonic())
        house.after(IDLE_S)
        assert len(house.timed) == 1
        house.trial = None
        await house.told(SHALLOW)
        assert house.asked == ["pocket"], "the other half first"
        house.after(IDLE_S)
        await house.told(DEEP)
        assert [kept.repack for kept in house.kept] == [False, False]
        assert [house.asked, house.model.load.repack] == [["pocket"] * 2, True]
        house.selection.hear(UP, house.rooms.clock.monotonic())
        house.after(IDLE_S)
        assert [len(house.asked), len(house.timed)] == [2, 2]
        house.selection.stop()

    play(scene())


def test_each_way_is_tried_once_the_type_of_cache_after_the_weights() -> None:
    async def scene() -> None:
        house = House()
        house.views["measured"] = frozenset({"pocket"})
        house.trial = other_way("pocket")
        await house.started()
        for trial in (other_type("pocket"), None):
            house.after(IDLE_S)
            house.selection.hear(UP, house.rooms.clock.monotonic())
            house.after(IDLE_S)
            await house.told(SHALLOW)
            house.after(IDLE_S)
            house.trial = trial
            await house.told(DEEP)
        ways = [(kept.repack, kept.kv_type) for kept in house.kept]
        assert ways == [(False, "f16")] * 2 + [(True, "q8_0")] * 2
        loads = house.model.load
        assert [house.asked, loads.repack, loads.kv_type] == [["pocket"] * 3, True, "f16"]
        house.selection.stop()

    play(scene())


def test_what_was_timed_at_an_empty_context_alone_is_timed_again_as_it_is() -> None:
    async def scene() -> None:
        house = House()
        house.views["measured"] = frozenset({"pocket"})
        house.trial = model("pocket")
        await house.started()
        house.after(IDLE_S)
        assert [house.asked, len(house.timed)] == [[], 1]
        for _ in range(2):  # it serves so for good, and no trial is to blame
            house.selection.hear(DIED, house.rooms.clock.monotonic())
        await house.seen()
        assert [name for _, name, _ in house.quarantined] == ["pocket"]
        house.selection.stop()

    play(scene())


def test_the_journal_is_told_when_keys_and_values_are_kept_otherwise() -> None:
    async def scene() -> None:
        house = House()
        await house.started()
        house.better = other_type("pocket")
        house.selection.retarget(8.0)
        await house.seen()
        chosen = [line for line in house.rooms.lines if "model chosen" in line]
        assert len(chosen) == 2
        house.selection.retarget(8.0)
        await house.seen()
        assert chosen == [line for line in house.rooms.lines if "model chosen" in line]
        house.selection.stop()

    play(scene())


@pytest.mark.parametrize("died", [True, False])
def test_a_way_that_does_not_work_costs_one_trial_and_not_the_file(*, died: bool) -> None:
    async def scene() -> None:
        house = House()
        house.views["measured"] = frozenset({"pocket"})
        house.trial = other_way("pocket")
        await house.started()
        house.after(IDLE_S)
        now = house.rooms.clock.monotonic()
        if died:
            house.selection.hear(DIED, now)
            house.selection.hear(DIED, now)
        else:
            house.selection.hear(UP, now)
            for _ in range(8):
                house.after(IDLE_S)
                failed = Failed(key=KEY, code="too_deep", message="")
                house.selection.hear(failed, house.rooms.clock.monotonic())
        house.after(IDLE_S)
        assert [house.asked, house.model.load.repack] == [["pocket"] * 2, True]
        house.selection.hear(UP, house.rooms.clock.monotonic())
        for _ in range(4):
            house.after(IDLE_S)
        assert len(house.asked) == 2
        assert house.quarantined == []
        house.selection.stop()

    play(scene())


def test_a_target_and_a_pin_choose_anew() -> None:
    async def scene() -> None:
        house = House()
        house.views["options"] = ("pocket", "fast")
        await house.started()
        house.views["local"] = "fast"
        house.selection.retarget(20.0)
        house.selection.pin("fast")
        await house.seen()  # the first look is overtaken by the second wish
        await house.seen()
        assert house.asked == ["fast"]
        assert house.wishes[-1] == Wish(target_tps=20.0, pinned="fast")
        assert house.selection.target_tps == 20.0
        with pytest.raises(ValueError, match="auto or the id of a variant"):
            house.selection.pin("faster")
        house.views["options"] = ("pocket",)
        house.selection.retarget(10.0)
        await house.seen()
        assert list(house.selection.options) == ["pocket", "fast"]
        house.selection.pin("auto")
        await house.seen()
        assert house.wishes[-1].pinned is None
        assert list(house.selection.options) == ["pocket"]
        house.selection.stop()

    play(scene())


def test_a_model_that_kills_the_child_twice_at_load_is_barred() -> None:
    async def scene() -> None:
        house = House()
        house.views["local"] = "bad"
        await house.started()
        house.selection.hear(DIED, 0.0)
        house.selection.hear(msgspec.structs.replace(DIED, during="idle"), 0.0)
        assert house.items.empty()
        house.views["local"] = "pocket"
        house.selection.hear(DIED, 0.0)
        await house.seen()
        ((name, reason),) = house.wishes[-1].barred
        assert name == "bad"
        assert "twice" in reason or "2 times at load: SIGSEGV" in reason
        assert house.asked == ["bad", "pocket"]
        assert house.quarantined == [("pocket.gguf", "bad", reason)]
        house.selection.stop()

    play(scene())


def test_it_looks_again_now_and_then_and_tells_only_what_is_new() -> None:
    async def scene() -> None:
        house = House()
        house.views["measured"] = frozenset({"pocket"})
        house.views.pop("measured")
        await house.started()
        house.after(LOOK_S)
        await house.seen()
        assert len(house.published) == 1
        house.selection.announce()
        assert len(house.published) == 2
        house.selection.stop()

    play(scene())


def test_memory_that_the_house_takes_is_answered_at_once_by_a_smaller_model() -> None:
    async def scene() -> None:
        house = House()
        signs = {"need": 50, "signs": house.standing}
        house.views = {"best": "big", "local": "big", "measured": frozenset({"big"}), **signs}
        await house.started()
        house.standing = Signs(have=40)
        house.views = {"best": "small", "local": "small", "signs": house.standing}
        house.after(SIGNS_S)
        await house.seen()
        assert house.asked == ["big", "small"]
        assert house.checks == 1
        house.selection.stop()

    play(scene())


def test_a_look_that_fails_is_told_and_costs_nothing_else() -> None:
    async def scene() -> None:
        house = House()
        house.error = RuntimeError("secret")
        await house.started()
        assert any("selection" in line for line in house.rooms.lines)
        house.selection.announce()
        assert house.published == []
        house.after(IDLE_S)
        assert (house.asked, house.timed) == ([], [])
        house.selection.stop()

    play(scene())


def test_a_measurement_without_times_counts_as_a_try() -> None:
    async def scene() -> None:
        house = House()
        await house.started()
        house.after(IDLE_S)
        house.selection.hear(Measured(key=KEY), house.rooms.clock.monotonic())
        assert house.kept == []
        house.selection.stop()

    play(scene())


BIG = Variant(id="big", family="f", file="big.gguf", repo="maker/big")
NEXT = Variant(id="next", family="f", file="next.gguf", repo="maker/next")
SETTLED = {"best": "big", "local": "pocket", "wanted": BIG, "measured": frozenset({"pocket"})}


def test_a_better_variant_is_fetched_told_and_loaded() -> None:
    async def scene() -> None:
        house = House()
        house.views = dict(SETTLED)
        await house.started()
        assert house.fetcher.asked == [("big", {"pocket.gguf"})]
        house.after(1.0)
        house.selection.hear(
            Progress(
                variant="big",
                state="downloading",
                done=1,
                total=9,
                rate=1.0,
                eta_s=8.0,
                milestone=True,
            ),
            0.0,
        )
        house.selection.hear(Pinned(variant="big", sha256="a" * 64, source="hub"), 0.0)
        house.selection.hear(Evicted(file="old.gguf", bytes=5), 0.0)
        assert house.updates == [
            update("pocket", "big", in_progress=False, update_percentage=None),
            update("pocket", "big", in_progress=True, update_percentage=11),
        ]
        (told,) = house.rooms.fake_session.on(house.rooms.topics.progress("download"))
        assert msgspec.json.decode(told.payload)["done"] == 1
        house.views = {"best": "big", "local": "big"}
        done = Fetched(variant="big", path="/m/big.gguf", sha256="a" * 64, bytes=9, resumed=0)
        house.selection.hear(done, 0.0)
        await house.seen()
        assert house.asked == ["big"]
        house.selection.hear(UP, 0.0)
        assert house.updates[-1] == update("big", "big", in_progress=False, update_percentage=None)
        said = "\n".join(house.rooms.lines)
        for word in ("1 of 9 bytes", "told by hub", "removed for room", "model fetched"):
            assert word in said
        house.selection.stop()
        assert house.fetcher.asked[1:] == ["close"]

    play(scene())


def test_a_download_that_fails_is_a_problem_and_given_up_when_it_must() -> None:
    async def scene() -> None:
        house = House()
        house.views = dict(SETTLED)
        await house.started()
        failed = FetchFailed(variant="big", code="unavailable", reason="it says 503", retry_in=9.0)
        house.selection.hear(failed, 0.0)
        assert house.items.empty()
        assert house.rooms.health.active("download_failed")
        house.views = {**SETTLED, "best": "pocket", "wanted": None}
        house.selection.hear(msgspec.structs.replace(failed, retry_in=None), 0.0)
        await house.seen()
        assert house.wishes[-1].barred == (("big", "it could not be fetched: it says 503"),)
        assert len(house.fetcher.asked) == 1
        house.selection.stop()

    play(scene())


def test_a_file_that_was_put_aside_is_chosen_without_at_once() -> None:
    async def scene() -> None:
        house = House()
        house.views = dict(SETTLED)
        await house.started()
        house.views = {**SETTLED, "best": "next", "wanted": NEXT}
        bad = FetchFailed(variant="big", code="bad_hash", reason="it has another", retry_in=60.0)
        house.selection.hear(bad, 0.0)
        await house.seen()
        assert house.wishes[-1].barred == ()
        assert [asked[0] for asked in house.fetcher.asked] == ["big", "next"]
        house.selection.stop()

    play(scene())


def test_a_download_that_is_not_wanted_any_more_is_given_up() -> None:
    async def scene() -> None:
        house = House()
        house.views = dict(SETTLED)
        await house.started()
        house.views = {**SETTLED, "best": "pocket", "wanted": None}
        house.selection.retarget(3.0)
        await house.seen()
        assert house.fetcher.asked[-1] == "cancel"
        house.selection.stop()

    play(scene())


UNCALIBRATED = {
    "best": "pocket",
    "local": "pocket",
    "measured": frozenset({"pocket"}),
    "calibrated": False,
}


def test_an_idle_board_is_calibrated_and_chooses_anew() -> None:
    async def scene() -> None:
        house = House()
        house.views = dict(UNCALIBRATED)
        await house.started()
        house.after(IDLE_S)
        house.after(IDLE_S)
        await asyncio.sleep(0)
        assert house.calibrations == 1
        house.views["calibrated"] = True
        house.gate.set()
        await house.seen()
        house.after(IDLE_S)
        assert house.calibrations == 1
        house.selection.stop()

    play(scene())


def test_a_request_ends_calibrating_and_idleness_begins_it_anew() -> None:
    async def scene() -> None:
        house = House()
        house.views = dict(UNCALIBRATED)
        await house.started()
        house.after(IDLE_S)
        await asyncio.sleep(0)
        house.arrive()
        house.after(0.1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        house.complete()
        house.after(IDLE_S)
        await asyncio.sleep(0)
        assert house.calibrations == 2
        house.selection.stop()
        await asyncio.sleep(0)

    play(scene())


def far(name: str) -> Variant:
    return Variant(id=name, family="f", file=f"{name}.gguf", repo="owner/name")


def test_headers_are_read_while_nobody_asks_before_anything_is_fetched() -> None:
    async def scene() -> None:
        house = House()
        house.views |= {"best": "big", "wanted": far("big"), "unread": (far("far"),)}
        house.views["measured"] = frozenset({"pocket"})
        await house.started()
        assert (house.read, house.fetcher.asked) == ([], [])
        house.after(IDLE_S)
        await asyncio.sleep(0.01)
        assert (house.read, house.fetcher.asked) == ([["far"]], [])
        house.arrive()
        house.after(IDLE_S)
        await house.settled()
        assert not any("code=header" in line for line in house.rooms.lines)
        house.complete()
        house.gate.set()
        house.after(IDLE_S * 2)
        house.views["unread"] = ()
        await house.seen()
        assert house.read == [["far"], ["far"]]
        assert any("far: its header is known" in line for line in house.rooms.lines)
        assert [asked[0] for asked in house.fetcher.asked] == ["big"]
        house.selection.stop()

    play(scene())


def test_what_has_been_done_is_not_done_again_before_a_look_has_seen_it() -> None:
    async def scene() -> None:
        house = House()
        house.views |= {"unread": (far("far"),), "measured": frozenset({"pocket"})}
        await house.started()
        house.gate.set()
        house.after(IDLE_S)
        await asyncio.sleep(0.01)
        house.views["unread"] = ()
        house.after(IDLE_S)  # the look that follows has not come back
        await asyncio.sleep(0.01)
        assert house.read == [["far"]]
        house.selection.stop()

    play(scene())


def test_mistakes_with_headers_do_not_keep_a_model_away_for_ever() -> None:
    async def scene() -> None:
        house = House()
        house.views |= {"best": "big", "wanted": far("big"), "unread": (far("far"),)}
        house.views["measured"] = frozenset({"pocket"})
        await house.started()
        house.gate.set()
        for _ in range(6):
            house.error = RuntimeError("secret")
            house.after(IDLE_S)
            await asyncio.sleep(0.01)
            house.error = None
            while not house.items.empty():
                await house.taken()
        assert len(house.read) == 3
        assert [asked[0] for asked in house.fetcher.asked] == ["big"]
        house.selection.stop()

    play(scene())


def test_a_board_that_cannot_be_calibrated_is_left_alone() -> None:
    async def scene() -> None:
        house = House()
        house.views = dict(UNCALIBRATED)
        await house.started()
        house.gate.set()
        for _ in range(6):
            house.error = RuntimeError("secret")
            house.after(IDLE_S)
            await asyncio.sleep(0.01)
            house.error = None
            while not house.items.empty():
                await house.taken()
        assert house.calibrations == 3
        house.selection.stop()

    play(scene())


def test_a_rate_that_stays_too_low_steps_down_and_room_to_spare_steps_up() -> None:
    async def scene() -> None:
        house = House()
        ladder = (Rung("good", 8.1), Rung("fast", 12.0))
        house.views = {"best": "good", "local": "good", "ladder": ladder}
        house.views["measured"] = frozenset({"good", "fast"})
        await house.started()
        house.rate = 6.0
        await house.until("step down", 1)
        assert house.wishes[-1].rung == 1
        house.rate = 12.5
        await house.until("step up", 0)
        assert house.wishes[-1].rung == 0
        house.selection.stop()

    play(scene())
