"""The end of a shard: believed when it is borne out, and never because something is missing in a reply."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest

from handlers.function import Payload, Result
from pollers.sources.streams.ending import TRIES_TO_FIND
from pollers.telemetry.board import Board
from pollers.telemetry.facts import Checkpointed, Discarded, EndDoubted, EndRevoked, ShardEnded
from tests.worlds import virtual_time
from tests.worlds.stream_rig import RAISED, Rig, accept, eventually, failing_on

if TYPE_CHECKING:
    from pollers.aws.api import Page, Pushed, ShardListing
    from pollers.telemetry.mapping_board import MappingBoard

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]
SHARD = "shardId-000000000000"


def fan_out(**settings: Any) -> Rig:  # noqa: ANN401 - the mapping's own
    """A rig that subscribes."""
    return Rig("kinesis", stream={"consumer": "fast"}, **settings)


class Lie:
    """Takes the next iterator, or the continuation, out of so many replies."""

    def __init__(self, rig: Rig, *, times: float = float("inf"), records: bool = True) -> None:
        self.left = times
        self.records = records
        self.told = 0
        rig.stream.tampered = self.page
        rig.stream.tampered_event = self.event

    def _due(self) -> bool:
        if self.left <= 0:
            return False
        self.left -= 1
        self.told += 1
        return True

    def page(self, page: Page) -> Page:
        """A reply to GetRecords."""
        if not self._due():
            return page
        return replace(page, next_iterator=None, children=None, records=page.records if self.records else [])

    def event(self, pushed: Pushed) -> Pushed:
        """An event of a subscription."""
        if not self._due():
            return pushed
        return replace(pushed, continuation=None, children=None, records=pushed.records if self.records else [])


def board_of(rig: Rig) -> MappingBoard:
    """What the board makes of the facts so far."""
    board = Board()
    for fact in rig.facts:
        board("rig", fact)
    return board.of("rig")


@pytest.mark.parametrize("records", [True, False], ids=["with its records", "without its records"])
@pytest.mark.parametrize("times", [1, 2, 5, 30])
@pytest.mark.parametrize("kind", [*KINDS, "fan-out"])
def test_an_open_shard_whose_replies_call_it_ended_is_read_on(kind: str, times: int, *, records: bool) -> None:
    """However often they say so: what is written afterwards is read, in order, and nothing was written down as ended."""

    async def main() -> None:
        rig = fan_out() if kind == "fan-out" else Rig(kind, batch_size=3)  # type: ignore[arg-type]
        rig.put(*map(str, range(10)))
        async with rig.running():
            await eventually(lambda: len(rig.accepted) == 10)
            Lie(rig, times=times, records=records)
            rig.put(*map(str, range(10, 20)))
            await anyio.sleep(120)
            rig.put(*map(str, range(20, 30)))
            await eventually(lambda: len(rig.accepted) == 30, within=1_200)
            assert rig.accepted == list(map(str, range(30)))
            assert rig.of(ShardEnded) == []
        assert not (await rig.checkpoints())[SHARD].ended

    virtual_time.run(main)


@virtual_time.test
async def test_a_false_end_that_lasts_is_no_busy_loop_and_is_said() -> None:
    """Waits grow to half a minute; the log, the status sentence, the metric and health know."""
    rig = Rig()
    async with rig.running():
        await anyio.sleep(5)
        lie = Lie(rig)
        await anyio.sleep(600)
        assert lie.told <= 40
        assert rig.of(EndDoubted)
        assert rig.of(ShardEnded) == []
        assert board_of(rig).shards[SHARD].doubted is not None
        assert [entry["event"] for entry in rig.log].count(
            "a shard's end is not believed: it is read on from its last record"
        ) == 1
        lie.left = 0
        rig.put("1")
        await eventually(lambda: rig.accepted == ["1"])
        assert board_of(rig).shards[SHARD].doubted is None


@virtual_time.test
async def test_a_false_end_in_the_middle_of_a_closed_shard_loses_none_of_its_records() -> None:
    """The listing has an ending sequence number then: only a second reading shows that there are more records."""
    rig = Rig("dynamodb")
    rig.put(*map(str, range(3_000)))
    rig.stream.roll(rig.only_shard)
    rig.put("last")
    Lie(rig, times=1)
    async with rig.running():
        await eventually(lambda: len(rig.accepted) == 3_001)
    assert rig.accepted == [*map(str, range(3_000)), "last"]


@virtual_time.test
async def test_children_are_not_read_before_a_parent_that_was_falsely_called_ended() -> None:
    """The parent's later records come first."""
    rig = Rig("dynamodb")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        lie = Lie(rig)
        rig.put("2")
        await anyio.sleep(60)
        rig.put("3")
        lie.left = 0
        rig.stream.roll(rig.only_shard)
        rig.put("4")
        await eventually(lambda: len(rig.accepted) == 4, within=120)
        assert rig.accepted == ["1", "2", "3", "4"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_true_end_is_found_promptly_when_its_reply_names_no_children(kind: Kind) -> None:
    """One more reading and a listing: a second or two, and the children are read."""

    async def main() -> None:
        rig = Rig(kind)
        rig.put("1")
        async with rig.running():
            await eventually(lambda: rig.accepted == ["1"])
            await anyio.sleep(20)
            rig.stream.tampered = lambda page: replace(page, children=None)
            rig.put("2")
            rig.stream.split(rig.only_shard)
            rig.put("3", key="k")
            await eventually(lambda: rig.accepted == ["1", "2", "3"], within=4)
            assert len(rig.of(ShardEnded)) == 1
            assert rig.of(EndDoubted) == []

    virtual_time.run(main)


@virtual_time.test
async def test_an_end_that_the_listing_shows_late_is_waited_for() -> None:
    """Listings lag behind; nothing is read out of order meanwhile."""
    rig = Rig("dynamodb", stream={"lag_seconds": 20.0})
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.roll(rig.only_shard)
        rig.put("2")
        await anyio.sleep(15)
        assert rig.of(ShardEnded) == []
        await eventually(lambda: rig.accepted == ["1", "2"], within=60)


@virtual_time.test
async def test_an_end_that_says_there_is_more_to_come_is_not_believed_at_once() -> None:
    """A reply with children and a distance from the tip contradicts itself."""
    rig = Rig()
    rig.put("1")
    rig.stream.split(rig.only_shard)
    told = 0

    def contradicting(page: Page) -> Page:
        nonlocal told
        if page.next_iterator is None and told < 2:
            told += 1
            return replace(page, behind_seconds=30.0, records=[])
        return page

    rig.stream.tampered = contradicting
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    assert told == 2


@virtual_time.test
async def test_the_shards_of_a_disabled_stream_end_though_they_are_listed_as_open() -> None:
    """No more records can come; some services never write down where such a shard ended."""
    rig = Rig("dynamodb")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.put("2")
        rig.stream.status = "DISABLED"
        Lie(rig)
        await eventually(lambda: len(rig.of(ShardEnded)) == 1, within=60)
        assert rig.accepted == ["1", "2"]


@virtual_time.test
async def test_a_shard_that_ended_and_is_listed_no_more_ends_without_a_gap() -> None:
    """It has left the retention after it was read to its end: a minute of listings without it says so, and no record is missed."""
    rig = Rig("dynamodb")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        shard = rig.only_shard
        rig.stream.shards_by_id.pop(shard.shard_id)
        Lie(rig)
        await eventually(lambda: len(rig.of(ShardEnded)) == 1, within=TRIES_TO_FIND * 40)
        assert rig.of(Discarded) == []


@virtual_time.test
async def test_shards_that_end_together_are_looked_for_in_one_listing() -> None:
    """A table's shards roll in crowds, and DescribeStream is limited for all of them."""
    rig = Rig("dynamodb", shards=20)
    async with rig.running():
        await anyio.sleep(10)
        before = rig.stream.calls["shards"]
        for shard in rig.stream.open_shards():
            rig.stream.roll(shard)
        await eventually(lambda: len(rig.of(ShardEnded)) == 20)
        assert rig.stream.calls["shards"] - before <= 8


# -- ended, but open -------------------------------------------------------------------------------------------------------


async def falsely_ended(rig: Rig) -> None:
    """A first life, and then a checkpoint that calls the shard ended."""
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
    opened = await rig.store.open("rig", rig.stream.identity)
    leases = await opened.checkpoints.take_leases([SHARD])
    kept = (await opened.checkpoints.load())[SHARD]
    await opened.checkpoints.end(leases[SHARD], kept, {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_shard_that_is_called_ended_and_listed_as_open_is_read_again(kind: Kind) -> None:
    """From its last record: nothing is repeated and nothing lost. It is said once, and shows while it lasts."""

    async def main() -> None:
        rig = Rig(kind)
        rig.put("1", "2")
        await falsely_ended(rig)
        rig.put("3")
        async with rig.running():
            await eventually(lambda: rig.of(EndRevoked) != [], within=60)
            assert board_of(rig).shards[SHARD].revoked is not None
            await eventually(lambda: rig.accepted == ["1", "2", "3"], within=60)
            await anyio.sleep(10)
            assert board_of(rig).shards[SHARD].revoked is None
            errors = [entry for entry in rig.log if entry["log_level"] == "error"]
            assert len(errors) == 1
            assert errors[0]["shard"] == SHARD
        assert not (await rig.checkpoints())[SHARD].ended
        assert len(rig.of(EndRevoked)) == 1

    virtual_time.run(main)


@virtual_time.test
async def test_what_is_called_ended_and_listed_as_open_is_not_caught_up() -> None:
    """--until-idle must not end before it has been read."""
    rig = Rig()
    rig.put("1", "2")
    await falsely_ended(rig)
    rig.put("3")
    async with rig.running() as poller:
        await anyio.sleep(1)
        assert not await poller.caught_up()
        await eventually(lambda: rig.accepted == ["1", "2", "3"], within=60)


@virtual_time.test
async def test_a_true_end_that_the_listing_shows_late_is_not_revoked() -> None:
    """Its children are known: they were written down together with it."""
    rig = Rig(stream={"lag_seconds": 25.0})
    rig.put("1")
    rig.stream.split(rig.only_shard)
    async with rig.running():
        await eventually(lambda: len(rig.of(ShardEnded)) == 1)
    listing: list[ShardListing] = await rig.stream.shards(rig.stream.arn)
    assert [shard.ended_at for shard in listing] == [None]
    async with rig.running():
        await anyio.sleep(60)
    assert rig.of(EndRevoked) == []


@virtual_time.test
async def test_a_subscription_without_any_event_is_a_failure_and_waited_after() -> None:
    """Not once a second for ever without a word."""
    rig = fan_out()

    async def nothing(*_: object) -> Any:  # noqa: ANN401 - an async generator of no events
        for event in list[None]():
            yield event

    rig.stream._push = nothing  # type: ignore[method-assign, assignment]
    async with rig.running():
        await anyio.sleep(600)
        assert rig.stream.calls["subscribe"] <= 60
        assert rig.of(Checkpointed) == []


@pytest.mark.parametrize("wrong", ["", "soon", "-5", "1"])
def test_a_continuation_that_is_no_place_above_the_last_record_moves_no_checkpoint(wrong: str) -> None:
    """Neither to something that is no sequence number nor back below what is done."""

    async def main() -> None:
        rig = fan_out()
        rig.put("a", "b")
        rig.stream.tampered_event = lambda pushed: replace(pushed, continuation=wrong)
        async with rig.running():
            await eventually(lambda: rig.accepted == ["a", "b"])
            await anyio.sleep(400)
            rig.put("c")
            await eventually(lambda: rig.accepted == ["a", "b", "c"])
        assert (await rig.checkpoints())[SHARD].sequence_number == "4"

    virtual_time.run(main)


@virtual_time.test
async def test_a_stop_ends_no_shard_whose_last_records_are_not_done() -> None:
    """The stream has no more of the shard, but its records are still to be tried again: at the next start."""
    rig = Rig()
    rig.put("bad")
    rig.function.handler = failing_on("bad")
    async with rig.running():
        await eventually(lambda: bool(rig.invoked))
        rig.stream.split(rig.only_shard)
        await anyio.sleep(60)
    assert not rig.of(ShardEnded)
    rig.function.handler = accept
    async with rig.running():
        await eventually(lambda: rig.accepted == ["bad"])


@virtual_time.test
async def test_children_that_a_reply_names_are_read_as_soon_as_their_parent_has_ended() -> None:
    """Not at the next listing, which may be half a minute away."""
    rig = Rig()
    rig.put("parent")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["parent"])
        await anyio.sleep(10)
        rig.stream.split(rig.only_shard)
        for shard in rig.stream.open_shards():
            rig.stream.put_into(shard, "k", shard.shard_id)
        await eventually(lambda: bool(rig.of(ShardEnded)))
        await eventually(lambda: len(rig.accepted) == 3, within=2)


@virtual_time.test
async def test_a_stop_ends_no_shard_whose_last_window_is_open() -> None:
    """Its last invocation has failed and is still to be tried again: at the next start."""
    rig = Rig(tumbling_window_in_seconds=60)
    rig.put("1")

    async def failing_at_the_end(event: dict[str, Any]) -> Result:
        await anyio.sleep(0.01)
        return RAISED if event["isFinalInvokeForWindow"] else Payload(b'{"state": {}}')

    rig.function.handler = failing_at_the_end
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.split(rig.only_shard)
        await anyio.sleep(150)
        assert any(event["isFinalInvokeForWindow"] for event in rig.function.events)
    assert not rig.of(ShardEnded)
