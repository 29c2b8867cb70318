"""Reading shards: starting positions, lineage, and what goes wrong on the way. Each fault happened to somebody."""

from __future__ import annotations

from typing import Literal

import anyio
import pytest

from pollers.aws.errors import AccessDenied, AwsError, CredentialsExpired, IteratorExpired, Throttled, Unavailable
from pollers.errors import SourceUnusable
from pollers.telemetry.facts import Discarded, Doing, Polled, PollFailed, ShardEnded, ShardSeen, State
from tests import virtual_time
from tests.faults.memory_streams import NoFaults
from tests.faults.stream_rig import Rig, eventually, slow_on

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


class Failing(NoFaults):
    """Calls of some operations fail, each so many times."""

    def __init__(self, error: AwsError, *operations: str, times: int = 1_000_000, lost: bool = False) -> None:
        self.error = error
        self.left = dict.fromkeys(operations, times)
        self.lost = lost

    async def before(self, operation: str) -> None:
        """Fail before anything has happened."""
        await super().before(operation)
        if not self.lost:
            self._fail(operation)

    async def after(self, operation: str) -> None:
        """Lose the reply."""
        if self.lost:
            self._fail(operation)

    def _fail(self, operation: str) -> None:
        if self.left.get(operation, 0):
            self.left[operation] -= 1
            raise self.error


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_stream_is_read_to_its_tip_and_followed(kind: Kind) -> None:
    """From the trim horizon on, and what is written later too."""
    rig = Rig(kind)
    rig.put("1", "2")
    async with rig.running() as poller:
        await eventually(lambda: rig.accepted == ["1", "2"])
        rig.put("3")
        await eventually(lambda: rig.accepted == ["1", "2", "3"])
        while not await poller.caught_up():
            await anyio.sleep(0.1)
    assert (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number == "4"


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_restart_reads_on_after_the_last_record_done(kind: Kind) -> None:
    """Nothing is delivered twice after an orderly stop, nothing is left out."""
    rig = Rig(kind)
    rig.put("1", "2")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
    rig.put("3")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2", "3"])


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_latest_reads_what_is_written_after_the_first_start(kind: Kind) -> None:
    """And nothing from before, not even from shards that had ended."""
    rig = Rig(kind, starting_position="LATEST")
    rig.put("before")
    rig.stream.split(rig.only_shard)
    rig.put("before too")
    await anyio.sleep(2)
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 2)
        rig.put("after", key="a")
        rig.put("after too", key="b")
        await eventually(lambda: sorted(rig.accepted) == ["after", "after too"])


@virtual_time.test
async def test_a_clock_ahead_of_the_services_delays_latest_and_nothing_else() -> None:
    """Kinesis refuses to begin at a time that it has not reached."""
    rig = Rig(starting_position="LATEST")
    rig.clock.skew = 20
    async with rig.running():
        await anyio.sleep(60)
        rig.put("after")
        await eventually(lambda: rig.accepted == ["after"])
    assert any("future" in fact.error for fact in rig.of(PollFailed))


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_latest_is_pinned_so_that_a_crash_before_the_first_record_loses_nothing(kind: Kind) -> None:
    """What is written while the mapping is down is behind the pin."""
    rig = Rig(kind, starting_position="LATEST")
    rig.put("before")
    await anyio.sleep(2)
    async with rig.crashing():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
    await anyio.sleep(2)
    rig.put("while it was down")
    await anyio.sleep(2)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["while it was down"])


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_latest_loses_nothing_when_the_shard_is_split_while_the_mapping_is_down(kind: Kind) -> None:
    """start_from latest applied to child shards was a silent loss elsewhere."""
    rig = Rig(kind, starting_position="LATEST")
    async with rig.crashing():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
    await anyio.sleep(2)
    rig.put("parent")
    rig.stream.split(rig.only_shard)
    rig.put("child")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["parent", "child"])


@virtual_time.test
async def test_passing_over_old_records_is_remembered() -> None:
    """A shard that is passed over from its beginning after a restart is not passed over again at the next."""
    rig = Rig("dynamodb", starting_position="LATEST")
    rig.put("old", "older")
    await anyio.sleep(5)
    async with rig.crashing():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 4)
    assert rig.accepted == []
    assert (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number == "3"


@virtual_time.test
async def test_at_timestamp_reads_from_that_time() -> None:
    """Records that arrived before are left out, in every shard that is listed."""
    rig = Rig(starting_position="AT_TIMESTAMP", starting_position_timestamp=virtual_time.EPOCH + 10)
    rig.put("before")
    rig.stream.split(rig.only_shard)
    rig.put("before too")
    await anyio.sleep(11)
    rig.put("after")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["after"])


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_children_are_read_after_their_parent_from_their_beginning(kind: Kind) -> None:
    """Split under load: order per key is kept."""
    rig = Rig(kind, batch_size=3)
    rig.put(*"12345")
    async with rig.running():
        await eventually(lambda: len(rig.accepted) >= 1)
        rig.stream.split(rig.only_shard)
        rig.put(*"6789")
        await eventually(lambda: len(rig.accepted) >= 9)
        assert rig.accepted == list("123456789")
        assert [fact.source for fact in rig.of(ShardEnded)] == ["shardId-000000000000"]
        assert rig.of(ShardSeen)[-1].parents == ("shardId-000000000000",)


@virtual_time.test
async def test_children_that_the_parent_names_are_read_at_once() -> None:
    """Without waiting for the next listing."""
    rig = Rig()
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        listings = rig.stream.calls["shards"]
        rig.stream.split(rig.only_shard)
        rig.put("child")
        await eventually(lambda: rig.accepted == ["child"], within=5)
        assert rig.stream.calls["shards"] == listings


@virtual_time.test
async def test_children_that_the_parent_does_not_name_are_found_soon() -> None:
    """DynamoDB names none, nor does an emulator: the shards are listed again without waiting for the usual time."""
    rig = Rig("dynamodb")
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        rig.stream.roll(rig.only_shard)
        rig.put("child")
        await eventually(lambda: rig.accepted == ["child"], within=5)


@virtual_time.test
async def test_children_that_the_listing_shows_late_are_found_without_waiting_long() -> None:
    """Listings lag behind."""
    rig = Rig("dynamodb", stream={"lag_seconds": 6.0})
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        rig.stream.roll(rig.only_shard)
        rig.put("child")
        await eventually(lambda: rig.accepted == ["child"], within=15)


@virtual_time.test
async def test_a_merged_shard_waits_for_both_parents() -> None:
    """Though one of them takes long."""
    rig = Rig(shards=2, concurrency=2)
    low, high = rig.stream.open_shards()
    rig.stream.put_into(low, "k", "slow")
    rig.stream.put_into(high, "j", "quick")
    rig.stream.merge(low, high)
    rig.stream.put_into(rig.only_shard, "k", "merged")
    rig.function.handler = slow_on("slow", seconds=120)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["quick"])
        await anyio.sleep(60)
        assert rig.accepted == ["quick"]
        waiting = rig.doing("shardId-000000000002")
        assert waiting is not None
        assert (waiting.state, waiting.detail) == (State.WAITING_FOR_PARENT, "parent shardId-000000000000")
        await eventually(lambda: rig.accepted == ["quick", "slow", "merged"])


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_shard_that_closed_while_the_mapping_was_down_is_read_to_its_end(kind: Kind) -> None:
    """Closed shards were skipped at the start elsewhere: a loss."""
    rig = Rig(kind)
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    rig.put("2")
    rig.stream.split(rig.only_shard)
    rig.put("3")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2", "3"])


@virtual_time.test
async def test_an_ended_shard_is_never_read_again_and_forgotten_when_it_is_gone() -> None:
    """Closed shards were opened again for ever elsewhere; checkpoints must not pile up either."""
    rig = Rig("dynamodb")
    rig.put("1")
    first = rig.only_shard
    rig.stream.roll(first)
    async with rig.running():
        await eventually(lambda: rig.of(ShardEnded) != [])
        calls = rig.stream.calls["iterator"]
        await anyio.sleep(300)
        assert rig.stream.calls["iterator"] == calls
    assert (await rig.checkpoints())[first.shard_id].ended
    async with rig.running():
        rig.stream.trim(rig.clock.time())
        await anyio.sleep(600)
    assert first.shard_id not in await rig.checkpoints()
    assert rig.accepted == ["1"]


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_an_expired_iterator_is_made_anew_after_the_last_record(kind: Kind) -> None:
    """It was retried for ever elsewhere."""
    rig = Rig(kind)
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.expire_iterators()
        rig.put("2")
        await eventually(lambda: rig.accepted == ["1", "2"])


@virtual_time.test
async def test_iterators_that_expire_at_once_are_not_asked_for_in_a_hurry() -> None:
    """A service that calls every iterator too old is asked with growing delays."""
    rig = Rig()
    rig.stream.faults = Failing(IteratorExpired("ExpiredIteratorException", "no"), "records")
    async with rig.running():
        await anyio.sleep(60)
        assert rig.stream.calls["iterator"] < 30


@virtual_time.test
async def test_records_trimmed_away_above_the_checkpoint_are_reported_with_the_gap() -> None:
    """And reading goes on with what is left."""
    rig = Rig("dynamodb")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    rig.put("lost")
    await anyio.sleep(10)
    rig.stream.trim(rig.clock.time())
    rig.put("2")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
    (gap,) = [entry for entry in rig.log if "trimmed" in entry["event"]]
    assert gap["after"] == "2"
    assert "4" in gap["upto"]
    assert [(fact.condition, fact.ids) for fact in rig.of(Discarded)] == [("Trimmed", ())]


@virtual_time.test
async def test_a_shard_that_has_left_the_retention_unread_is_reported_and_its_children_are_read() -> None:
    """A child that waits for a parent nobody can read would wait for ever."""
    rig = Rig("dynamodb")
    rig.put("1")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1"])
    rig.put("lost")
    rig.stream.roll(rig.only_shard)
    await anyio.sleep(10)
    rig.stream.trim(rig.clock.time())
    rig.put("2")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])
    assert [entry["after"] for entry in rig.log if "trimmed" in entry["event"]] == ["2"]


@virtual_time.test
async def test_a_shard_that_is_too_young_to_be_found_is_not_given_up() -> None:
    """The parent names it before the service knows it everywhere."""
    rig = Rig(stream={"lag_seconds": 9.0})
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
        rig.stream.split(rig.only_shard)
        rig.put("a", key="a")
        rig.put("b", key="b")
        await eventually(lambda: sorted(rig.accepted) == ["a", "b"])
    assert not [entry for entry in rig.log if "trimmed" in entry["event"]]


@pytest.mark.parametrize(
    "error",
    [
        Throttled("ProvisionedThroughputExceededException", "slow down"),
        Unavailable("InternalFailure", "later"),
        CredentialsExpired("ExpiredTokenException", "expired"),
    ],
)
@virtual_time.test
async def test_what_passes_is_waited_out_with_growing_delays_and_said(error: AwsError) -> None:
    """Every call may be refused or its reply lost; nothing is lost for that."""
    rig = Rig()
    rig.put("1")
    rig.stream.faults = Failing(error, "describe", "shards", "iterator", "records", times=10)
    async with rig.running():
        await eventually(lambda: rig.of(PollFailed) != [])
        backing_off = next(fact for fact in rig.of(Doing) if fact.state is State.BACKING_OFF)
        assert error.code in backing_off.detail
        await eventually(lambda: rig.accepted == ["1"])
    waits = [fact.retry_seconds for fact in rig.of(PollFailed)]
    assert len(waits) >= 10
    assert 10 <= max(waits) <= 30
    assert waits[0] <= 0.5
    assert {fact.throttled for fact in rig.of(PollFailed) if fact.source != "stream"} == {isinstance(error, Throttled)}


@virtual_time.test
async def test_a_lost_reply_is_read_again() -> None:
    """The iterator has not moved."""
    rig = Rig()
    rig.put("1", "2")
    rig.stream.faults = Failing(Unavailable("ConnectionClosed", "lost"), "records", times=2, lost=True)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["1", "2"])


@virtual_time.test
async def test_a_missing_stream_is_said_clearly() -> None:
    """With what would be right."""
    rig = Rig()
    rig.stream.deleted = True
    failure = await rig.run_to_failure()
    assert isinstance(failure, SourceUnusable)
    assert rig.stream.arn in str(failure)
    assert "region" in str(failure)


@pytest.mark.parametrize("operation", ["describe", "shards", "iterator", "records"])
@virtual_time.test
async def test_denied_access_is_said_clearly(operation: str) -> None:
    """With the service's own words, which name the action."""
    rig = Rig()
    rig.stream.faults = Failing(AccessDenied("AccessDeniedException", "not authorized to kinesis:This"), operation)
    failure = await rig.run_to_failure()
    assert isinstance(failure, SourceUnusable)
    assert "kinesis:This" in str(failure)


@virtual_time.test
async def test_a_stream_that_is_being_created_is_waited_for() -> None:
    """And it is said."""
    rig = Rig()
    rig.stream.status = "CREATING"
    rig.put("1")
    async with rig.running():
        await anyio.sleep(30)
        assert rig.of(Doing)[0].detail == "the stream is CREATING"
        rig.stream.status = "ACTIVE"
        await eventually(lambda: rig.accepted == ["1"])


@virtual_time.test
async def test_a_stream_that_is_being_deleted_is_not_read() -> None:
    """There is nothing to wait for."""
    rig = Rig()
    rig.stream.status = "DELETING"
    assert "deleted" in str(await rig.run_to_failure())


@virtual_time.test
async def test_a_disabled_stream_is_read_to_its_end() -> None:
    """Its records are there for a day; no more will come, and that counts as caught up."""
    rig = Rig("dynamodb")
    rig.put("1")
    rig.stream.close_for_good()
    rig.stream.status = "DISABLED"
    async with rig.running() as poller:
        await eventually(lambda: rig.accepted == ["1"])
        while not await poller.caught_up():
            await anyio.sleep(1)
    assert any("disabled" in entry["event"] for entry in rig.log)


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_a_stream_deleted_while_it_is_read_ends_the_poller_in_order(kind: Kind) -> None:
    """What was accepted is checkpointed, and the error says what happened."""
    rig = Rig(kind)
    rig.put("1")

    async def delete() -> None:
        await eventually(lambda: rig.accepted == ["1"])
        rig.stream.deleted = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        failure = await rig.run_to_failure()
    assert isinstance(failure, SourceUnusable)
    assert "does not exist" in str(failure)
    assert (await rig.checkpoints())["shardId-000000000000"].sequence_number == "2"


@virtual_time.test
async def test_a_stream_created_again_is_read_afresh_and_that_is_said() -> None:
    """Its shards have the names of the old ones; the old checkpoints must not count."""
    rig = Rig()
    rig.put("old")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["old"])
    rig.stream.recreate()
    rig.put("new")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["old", "new"])
    assert any("afresh" in entry["event"] for entry in rig.log)


@virtual_time.test
async def test_a_stream_created_again_while_it_is_read_is_noticed() -> None:
    """Before anything of it is read with the old checkpoints."""
    rig = Rig()
    rig.put("old")

    async def recreate() -> None:
        await eventually(lambda: rig.accepted == ["old"])
        rig.stream.recreate()
        rig.put("new")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recreate)
        failure = await rig.run_to_failure()
    assert "created again" in str(failure)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["old", "new"])


@pytest.mark.parametrize("digits", [0, 21, 56, 129])
@virtual_time.test
async def test_sequence_numbers_of_any_length_are_sent_back_as_they_came(digits: int) -> None:
    """With leading zeros or without; compared as numbers."""
    rig = Rig(stream={"number": lambda number: str(number).zfill(digits)}, batch_size=1)
    rig.put(*map(str, range(12)))
    async with rig.crashing():
        await eventually(lambda: len(rig.accepted) >= 11)
        await anyio.sleep(2)
    rig.put("last")
    async with rig.running():
        await eventually(lambda: rig.accepted[-1] == "last")
    assert rig.accepted == [*map(str, range(12)), "last"]


@virtual_time.test
async def test_empty_and_short_pages_before_the_tip_are_not_the_tip() -> None:
    """A reader that takes them for it would seem caught up."""
    rig = Rig(stream={"empty_pages": 0.7})
    rig.put(*map(str, range(50)))
    async with rig.running() as poller:
        while not await poller.caught_up():
            await anyio.sleep(0.1)
        assert rig.accepted == list(map(str, range(50)))


@virtual_time.test
async def test_polls_are_as_frequent_as_documented() -> None:
    """Once a second for a Kinesis shard, four times for DynamoDB's, when caught up."""
    for kind, polls in (("kinesis", 60), ("dynamodb", 240)):
        rig = Rig(kind)  # type: ignore[arg-type]
        async with rig.running():
            await anyio.sleep(60)
            assert polls * 0.9 <= len(rig.of(Polled)) <= polls * 1.05
