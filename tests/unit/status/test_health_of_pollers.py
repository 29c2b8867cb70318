"""Health of real pollers on sources in memory: an injected stall makes it unhealthy in time; a wait that may take long does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.function import FunctionError, Throttle
from pollers.aws.errors import AccessDenied, Throttled, Unavailable
from pollers.status.health import LISTING_BOUND_SECONDS, POLL_BOUND_SECONDS, SILENCE_BOUND_SECONDS
from pollers.supervisor.mapping import MappingState
from tests.unit.telemetry.ward import queue_ward, stream_ward
from tests.worlds import virtual_time
from tests.worlds.sqs_world import takes

if TYPE_CHECKING:
    from pathlib import Path

    from handlers.function import Result

A_WHILE = 900.0
LONG_POLL = 25.0
NEVER = takes(1e9)
RAISES = takes(0.01, FunctionError("Exception", "boom", b"{}"))


# -- red -----------------------------------------------------------------------------------------------------------------


@virtual_time.test
async def test_a_receive_that_never_returns_turns_health_red(tmp_path: Path) -> None:
    """Within the bound of a poll, and the mapping is named."""
    async with queue_ward(tmp_path) as ward:
        await ward.green_for(60)
        ward.trouble.hanging.add("receive")
        assert "no poll of the queue has come back for" in await ward.red_within(POLL_BOUND_SECONDS + LONG_POLL)


@virtual_time.test
async def test_a_start_whose_first_call_never_returns_turns_health_red(tmp_path: Path) -> None:
    """Also when an earlier poller of the mapping had polled."""
    async with queue_ward(tmp_path) as ward:
        await ward.green_for(30)
        ward.runner.pause()
        await ward.until(lambda: ward.runner.state is MappingState.PAUSED)
        ward.trouble.hanging.add("queue_url")
        ward.runner.resume()
        assert "neither polled nor said" in await ward.red_within(SILENCE_BOUND_SECONDS + 5)


@virtual_time.test
async def test_a_function_that_outlives_its_timeout_turns_health_red(tmp_path: Path) -> None:
    """Whatever should have stopped it is stuck."""
    async with queue_ward(tmp_path, {"timeout": 20}) as ward:
        assert ward.queue is not None
        ward.function.behaviour = NEVER
        ward.queue.put("m1")
        assert "a batch has been with the function for" in await ward.red_within(2 * 20 + 60 + 5)


@virtual_time.test
async def test_a_stop_that_never_ends_turns_health_red(tmp_path: Path) -> None:
    """A poller that is paused and cannot let go."""
    async with queue_ward(tmp_path, {"timeout": 5}) as ward:
        assert ward.queue is not None
        ward.trouble.hanging.add("delete")
        ward.queue.put("m1")
        await anyio.sleep(25)
        ward.runner.pause()
        assert "has been stopping for" in await ward.red_within(140)


@virtual_time.test
async def test_one_shard_whose_reads_never_return_is_named(tmp_path: Path) -> None:
    """Progress is asked of each shard."""
    async with stream_ward(tmp_path, shards=2) as ward:
        await ward.green_for(30)
        ward.trouble.hanging.add("records")
        assert await ward.red_within(POLL_BOUND_SECONDS + 5) == "no poll of shardId-000000000000 has come back for 90 s"


@virtual_time.test
async def test_a_listing_of_shards_that_never_returns_turns_health_red(tmp_path: Path) -> None:
    """Records flow, but no new shard would ever be found."""
    async with stream_ward(tmp_path) as ward:
        await ward.green_for(30)
        ward.trouble.hanging.add("shards")
        assert "shards have not been listed" in await ward.red_within(LISTING_BOUND_SECONDS + 35)


@virtual_time.test
async def test_a_stream_that_cannot_be_opened_turns_health_red(tmp_path: Path) -> None:
    """The very first call hangs."""
    async with stream_ward(tmp_path) as ward:
        ward.trouble.hanging.add("describe")
        ward.runner.pause()
        await ward.until(lambda: ward.runner.state is MappingState.PAUSED)
        ward.runner.resume()
        assert "neither polled nor said" in await ward.red_within(SILENCE_BOUND_SECONDS + 5)


# -- green ---------------------------------------------------------------------------------------------------------------


@virtual_time.test
async def test_an_empty_queue_and_a_paused_one_stay_green(tmp_path: Path) -> None:
    """An empty source is not a stall, nor is a paused mapping."""
    async with queue_ward(tmp_path) as ward:
        await ward.green_for(A_WHILE)
        assert ward.sentence == "waiting for messages"
        assert ward.status.unready() == []
        ward.runner.pause()
        await ward.green_for(A_WHILE)
        assert ward.sentence == "paused; resume to poll again"
        assert ward.status.unready() == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Throttled("RequestThrottled", "slower"), "backing off after RequestThrottled: slower"),
        (Unavailable("ServiceUnavailable", "later"), "backing off after ServiceUnavailable: later"),
        (AccessDenied("AccessDenied", "not you"), "not you"),
    ],
)
def test_a_queue_that_refuses_stays_green_and_says_so(tmp_path: Path, error: Exception, sentence: str) -> None:
    """Waiting longer and longer is what it should do; a restart would not help."""

    @virtual_time.test
    async def story() -> None:
        async with queue_ward(tmp_path) as ward:
            ward.trouble.failing["receive"] = error  # type: ignore[assignment]
            told = set()
            for _ in range(60):
                await ward.green_for(A_WHILE / 60)
                told.add(ward.sentence.partition(", next try")[0])
            assert any(sentence in one for one in told), told
            assert ward.runner.state is not MappingState.STOPPED

    story()


@virtual_time.test
async def test_a_denied_queue_is_not_ready(tmp_path: Path) -> None:
    """Live, since a restart changes nothing; not ready, and it says why."""
    async with queue_ward(tmp_path) as ward:
        ward.trouble.failing["receive"] = AccessDenied("AccessDenied", "not you", operation="ReceiveMessage")
        await ward.until(lambda: ward.runner.state is MappingState.BACKING_OFF)
        assert "cannot run" in ward.status.unready()[0].reason
        assert "not you" in ward.status.unready()[0].reason


@virtual_time.test
async def test_a_busy_function_keeps_health_green_and_is_told(tmp_path: Path) -> None:
    """All permits taken by invocations of ten minutes."""
    async with queue_ward(tmp_path, {"timeout": 900, "concurrency": 2}, visibility_seconds=1_000) as ward:
        assert ward.queue is not None
        ward.function.behaviour = takes(600)
        for number in range(100):
            ward.queue.put(str(number))
        await ward.green_for(2 * A_WHILE)
        assert ward.sentence.startswith("invoking: 2 batches of 20 events, the oldest for ")


@virtual_time.test
async def test_a_window_of_five_minutes_stays_green(tmp_path: Path) -> None:
    """A trickle into a batch of thousands."""
    async with queue_ward(
        tmp_path, batch_size=10_000, maximum_batching_window_in_seconds=300, visibility_seconds=600
    ) as ward:
        assert ward.queue is not None
        for number in range(40):
            ward.queue.put(str(number))
            await ward.green_for(25)
        assert ward.sentence.startswith("gathering: holds ")


@virtual_time.test
async def test_retries_without_end_stay_green(tmp_path: Path) -> None:
    """A throttled function, and one that always fails."""
    async with queue_ward(tmp_path) as ward:
        assert ward.queue is not None
        ward.queue.put("m1")
        ward.function.behaviour = takes(0.01, Throttle("Rate exceeded"))
        await ward.until(lambda: ward.function.calls > 2 and not ward.sentence.startswith("invoking"))
        assert ward.sentence.startswith("retrying a batch of 1, attempt "), ward.sentence
        await ward.green_for(A_WHILE)
        ward.function.behaviour = RAISES
        await ward.green_for(A_WHILE)


@virtual_time.test
async def test_a_pause_that_waits_for_a_long_invocation_stays_green(tmp_path: Path) -> None:
    """The grace period is for the end of the process, not for a pause."""
    async with queue_ward(tmp_path, {"timeout": 900}, visibility_seconds=1_000) as ward:
        assert ward.queue is not None
        ward.function.behaviour = takes(880)
        ward.queue.put("m1")
        await ward.until(lambda: ward.function.calls == 1)
        ward.runner.pause()
        await ward.green_for(870)
        assert ward.sentence == "stopping: finishing 1 batch of 1 event"
        await ward.until(lambda: ward.runner.state is MappingState.PAUSED)


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
def test_an_idle_stream_stays_green(tmp_path: Path, kind: str) -> None:
    """Nothing new for a quarter of an hour."""

    @virtual_time.test
    async def story() -> None:
        async with stream_ward(tmp_path, kind, shards=2) as ward:
            await ward.green_for(A_WHILE)
            assert ward.sentence == "waiting for records: caught up"
            assert ward.status.unready() == []

    story()


@virtual_time.test
async def test_poison_in_a_closed_shard_stays_green_while_its_children_wait(tmp_path: Path) -> None:
    """The last batch of a split shard is retried without end: nothing polls that shard any more, and nothing should."""
    async with stream_ward(tmp_path) as ward:
        assert ward.stream is not None
        ward.function.behaviour = RAISES
        [parent] = ward.stream.open_shards()
        ward.stream.put("k", "poison")
        ward.stream.split(parent)
        await ward.green_for(A_WHILE)
        await ward.until(lambda: not ward.sentence.startswith("invoking"))
        assert ward.sentence.startswith("retrying a batch of 1, attempt "), ward.sentence
        assert ward.sentence.endswith(f"(on {parent.shard_id}/0)")
        ward.function.behaviour = takes(0.01)
        await ward.until(lambda: ward.sentence == "waiting for records: caught up")
        shards = ward.board.of("m").shards
        assert [shard.ended for shard in shards.values()] == [True, False, False]
        await ward.green_for(200)


@virtual_time.test
async def test_a_stream_whose_shards_have_all_ended_stays_green_and_ready(tmp_path: Path) -> None:
    """A disabled stream: nothing is left to poll, also after a restart from its checkpoints."""
    async with stream_ward(tmp_path, "dynamodb") as ward:
        assert ward.stream is not None
        ward.stream.close_for_good()
        await ward.green_for(300)
        assert ward.sentence == "waiting for new shards: every shard has ended"
        ward.runner.pause()
        await ward.until(lambda: ward.runner.state is MappingState.PAUSED)
        ward.runner.resume()
        await ward.green_for(300)
        assert ward.sentence == "waiting for new shards: every shard has ended"
        assert ward.status.unready() == []


@virtual_time.test
async def test_the_lineage_is_known_again_after_a_restart(tmp_path: Path) -> None:
    """Parents that ended before are shown as ended, with their children."""
    async with stream_ward(tmp_path) as ward:
        assert ward.stream is not None
        [parent] = ward.stream.open_shards()
        ward.stream.split(parent)
        await ward.until(lambda: len(ward.board.of("m").polls) == 2)
        ward.runner.pause()
        await ward.until(lambda: ward.runner.state is MappingState.PAUSED)
        ward.runner.resume()
        await ward.until(lambda: len(ward.board.of("m").polls) == 2)
        shards = ward.board.of("m").shards
        assert {name: (tuple(s.parents), s.ended) for name, s in shards.items()} == {
            parent.shard_id: ((), True),
            "shardId-000000000001": ((parent.shard_id,), False),
            "shardId-000000000002": ((parent.shard_id,), False),
        }


@virtual_time.test
async def test_a_throttled_stream_stays_green(tmp_path: Path) -> None:
    """Five readers of one shard, and all of its calls refused."""
    async with stream_ward(tmp_path) as ward:
        await ward.green_for(5)
        ward.trouble.failing["records"] = Throttled("ProvisionedThroughputExceededException", "slower")
        told = set()
        for _ in range(60):
            await ward.green_for(A_WHILE / 60)
            told.add(ward.sentence.partition(", next try")[0])
        assert "backing off after ProvisionedThroughputExceededException: slower" in told


@virtual_time.test
async def test_a_stream_behind_a_slow_function_stays_green(tmp_path: Path) -> None:
    """The read-ahead is full, so the shard is not polled until the function has caught up."""

    async def slow(_: object) -> Result:
        await anyio.sleep(400)
        return FunctionError("Exception", "boom", b"{}")

    async with stream_ward(tmp_path, function={"timeout": 600}, batch_size=10_000) as ward:
        assert ward.stream is not None
        ward.function.behaviour = slow
        for number in range(25_000):
            ward.stream.put("k", str(number))
        await ward.green_for(A_WHILE)
