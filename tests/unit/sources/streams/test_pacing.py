"""How fast and how much is read."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.dynamodb.source import PACE as DYNAMODB
from pollers.sources.kinesis.source import PACE as KINESIS
from pollers.sources.streams.pacing import (
    DECODE_BUDGET_SECONDS,
    FIRST_LIMIT,
    PAGE_BYTES,
    Holding,
    Pace,
    PageLimit,
    Polling,
    ReadAhead,
)


def polling(pace: Pace = KINESIS) -> Polling:
    """A pace that nothing has happened to."""
    return Polling(pace, random.Random(1))


def at_tip(one: Polling) -> bool:
    """Whether it is now."""
    return one.at_tip


def test_a_caught_up_kinesis_shard_is_polled_once_a_second() -> None:
    """The documented base rate (2.7)."""
    assert polling().came(0, 0, 0.0) == 1.0
    assert polling().came(7, 100, 0.0) == 1.0


def test_a_caught_up_dynamodb_shard_is_polled_four_times_a_second() -> None:
    """The documented base rate (2.7)."""
    assert polling(DYNAMODB).came(0, 0, None) == 0.25


def test_a_shard_that_is_behind_is_polled_as_fast_as_the_service_allows() -> None:
    """Five calls a second for Kinesis (4.7)."""
    assert polling().came(1_000, 1_000, 30.0) == 0.2
    assert polling().came(0, 0, 30.0) == 0.2
    assert polling(DYNAMODB).came(1, 100, None) < 0.25


def test_a_reply_of_ten_megabytes_is_followed_by_five_seconds() -> None:
    """Further calls would be refused (4.7); on the wire 10 MiB of data are a third more."""
    wait = polling().came(10_000, int(10 * 1024 * 1024 * 4 / 3), 30.0)
    assert 4.99 < wait < 5.01


def test_the_tip_is_where_an_empty_reply_is_not_behind() -> None:
    """An empty reply before the tip is normal (4.7)."""
    one = polling()
    one.came(0, 0, 12.0)
    assert not at_tip(one)
    one.came(5, 100, 0.0)
    assert not at_tip(one)
    one.came(0, 0, 0.0)
    assert at_tip(one)
    one.failed()
    assert not at_tip(one)


def test_without_a_distance_several_empty_replies_make_the_tip() -> None:
    """DynamoDB Streams does not say how far behind a reader is."""
    one = polling(DYNAMODB)
    for _ in range(4):
        one.came(0, 0, None)
        assert not at_tip(one)
    one.came(0, 0, None)
    assert at_tip(one)
    one.came(1, 10, None)
    assert not at_tip(one)


def test_failures_wait_longer_and_longer_until_one_succeeds() -> None:
    """Jittered, with a bound."""
    one = polling()
    waits = [one.failed() for _ in range(12)]
    assert waits[0] <= 0.2
    assert 15.0 <= waits[-1] <= 30.0
    one.came(0, 0, 0.0)
    assert one.failed() <= 0.2


def test_the_first_page_is_small_and_pages_grow_with_what_is_known() -> None:
    """Records may be of any size."""
    limit = PageLimit(KINESIS)
    assert limit.records(100_000, 10**9) == FIRST_LIMIT
    limit.came(500, 500 * 1_000, 0.0005)
    assert limit.records(100_000, 10**9) == 2_000
    limit.came(2_000, 2_000 * 1_000, 0.002)
    limit.came(8_000, 8_000 * 1_000, 0.008)
    assert limit.records(100_000, 10**9) <= 10_000


def test_pages_are_as_small_as_their_decoding_is_slow() -> None:
    """The event loop must not be held."""
    limit = PageLimit(KINESIS)
    limit.came(500, 500 * 1_000, 500 * 50e-6)
    assert limit.records(100_000, 10**9) == int(DECODE_BUDGET_SECONDS / 50e-6)


def test_pages_fit_into_the_room_there_is() -> None:
    """By records, and by what records have been found to take."""
    limit = PageLimit(KINESIS)
    limit.came(500, 500 * 10_000, 0.0)
    assert limit.records(42, 10**9) == 42
    assert limit.records(100_000, 100_000) == 10
    assert limit.records(100_000, 1) == 1


def test_pages_stay_small_enough_for_the_caches_however_much_room_there_is() -> None:
    """Cheap decoding is no reason for a page of 10,000 records."""
    limit = PageLimit(KINESIS)
    limit.came(500, 500 * 1_024, 0.0)
    limit.came(2_000, 2_000 * 1_024, 0.0)
    assert limit.records(100_000, 10**9) == PAGE_BYTES // 1_024


def test_an_empty_page_teaches_nothing() -> None:
    """It has no records to learn from."""
    limit = PageLimit(KINESIS)
    limit.came(0, 0, 0.5)
    assert limit.records(100_000, 10**9) == FIRST_LIMIT


class Reader:
    """A shard that reads whenever it may."""

    def __init__(self, ahead: ReadAhead) -> None:
        self.woken = 0
        self.holding: Holding = ahead.join(self.wake)

    def wake(self) -> None:
        """Note that there may be room."""
        self.woken += 1


def test_one_shard_may_hold_everything() -> None:
    """Nobody else needs it."""
    ahead = ReadAhead(100, 10_000)
    one = Reader(ahead)
    ahead.hold(one.holding, 99, 500)
    assert ahead.room(one.holding) is None
    ahead.release(one.holding, 60, 300)
    assert one.woken == 1
    assert ahead.room(one.holding) == (61, 9_800)


def test_a_shard_that_holds_nothing_may_always_read() -> None:
    """However much the others hold: a stuck function must not stop the shards that it does not serve."""
    ahead = ReadAhead(100, 10_000)
    stuck, other = Reader(ahead), Reader(ahead)
    ahead.hold(stuck.holding, 1_000, 100_000)
    assert ahead.room(stuck.holding) is None
    room = ahead.room(other.holding)
    assert room is not None
    assert room[0] == 25


def test_what_a_shard_leaves_is_free_for_others() -> None:
    """A shard that ended or was lost holds nothing."""
    ahead = ReadAhead(100, 10_000)
    gone, other = Reader(ahead), Reader(ahead)
    ahead.hold(gone.holding, 200, 1_000)
    ahead.hold(other.holding, 30, 100)
    assert ahead.room(other.holding) is None
    ahead.leave(gone.holding)
    assert other.woken == 1
    assert ahead.room(other.holding) == (70, 9_900)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 40)), max_size=200))
def test_the_shards_together_stay_within_one_and_a_half_times_the_limits(
    steps: list[tuple[int, bool, int]],
) -> None:
    """Whoever reads and whoever is stuck; and who waits for room is woken once its own records are done."""
    ahead = ReadAhead(100, 10_000)
    shards = [Reader(ahead) for _ in range(5)]
    waiting: set[int] = set()
    for index, reads, count in steps:
        shard = shards[index]
        if reads:
            room = ahead.room(shard.holding)
            if room is None:
                assert shard.holding.records
                waiting.add(index)
                continue
            waiting.discard(index)
            taken = min(count, room[0])
            ahead.hold(shard.holding, taken, min(taken * 50, room[1]))
        elif shard.holding.records:
            before = shard.woken
            ahead.release(shard.holding, shard.holding.records, shard.holding.bytes)
            assert index not in waiting or shard.woken > before
        assert ahead.records == sum(one.holding.records for one in shards)
        assert ahead.records <= 150
        assert ahead.bytes <= 15_000 + 5 * 400
