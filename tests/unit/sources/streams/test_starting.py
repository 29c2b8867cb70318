"""Where reading begins at the first start."""

from __future__ import annotations

from datetime import UTC, datetime

from config.models import KinesisMapping
from pollers.aws.api import ShardListing, StartAt
from pollers.sources.streams.starting import configured_start, first_checkpoints, later_checkpoints

OPEN = ShardListing("open", (), "1", None)
ENDED = ShardListing("ended", (), "1", "9")
CHILD = ShardListing("child", ("ended",), "10", None)


def test_trim_horizon_reads_everything() -> None:
    """Ended shards too, with their parents kept."""
    pins = first_checkpoints([ENDED, CHILD], StartAt("TRIM_HORIZON"), 5.0)
    assert [(pin.start.kind, pin.ended, pin.parents) for pin in pins.values()] == [
        ("TRIM_HORIZON", False, ()),
        ("TRIM_HORIZON", False, ("ended",)),
    ]


def test_latest_is_pinned_as_the_time_of_the_first_start() -> None:
    """Shards that had ended by then are done; a restart reads on from the same time."""
    pins = first_checkpoints([OPEN, ENDED, CHILD], StartAt("LATEST"), 1_234.50099)
    assert {shard_id: pin.ended for shard_id, pin in pins.items()} == {"open": False, "ended": True, "child": False}
    assert pins["open"].start == pins["child"].start == StartAt("AT_TIMESTAMP", timestamp=1_234.5)


def test_a_timestamp_counts_for_every_shard_that_is_listed() -> None:
    """A child whose parent ended before the time must not be read from its own beginning."""
    pins = first_checkpoints([ENDED, CHILD], StartAt("AT_TIMESTAMP", timestamp=7.0), 99.0)
    assert {pin.start for pin in pins.values()} == {StartAt("AT_TIMESTAMP", timestamp=7.0)}


def test_shards_found_later_are_read_from_their_beginning() -> None:
    """Whatever the starting position was: records written between a split and its discovery must not be lost."""
    assert later_checkpoints([CHILD])["child"].start == StartAt("TRIM_HORIZON")


def test_the_configured_position_is_taken_over() -> None:
    """Timestamps as seconds since the epoch."""
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    mapping = KinesisMapping(
        name="m",
        event_source_arn="arn:aws:kinesis:us-east-1:000000000000:stream/s",
        function_name="f",
        starting_position="AT_TIMESTAMP",
        starting_position_timestamp=when,
    )
    assert configured_start(mapping) == StartAt("AT_TIMESTAMP", timestamp=when.timestamp())
