"""Which shards may be read, over random histories of splits, merges and rollovers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.aws.api import ShardListing
from pollers.sources.streams.ending import Sight
from pollers.sources.streams.lineage import GONE_AFTER_SECONDS, OPEN_AFTER_SECONDS, Lineage
from pollers.sources.streams.shard_states import ShardState


def shard(shard_id: str, *parents: str) -> ShardListing:
    """A listed shard."""
    return ShardListing(shard_id, parents, "1", None)


def lineage_of(*shards: ShardListing) -> Lineage:
    """A lineage after one listing."""
    lineage = Lineage()
    lineage.listing(shards, 0.0)
    return lineage


def start(lineage: Lineage, shard_id: str) -> None:
    """The shard is being read."""
    lineage.life(shard_id).to(ShardState.READING)


def end(lineage: Lineage, shard_id: str) -> None:
    """Every record of the shard is done, and that is written down."""
    life = lineage.life(shard_id)
    if life.state is ShardState.WAITING:
        life.to(ShardState.READING)
    for state in (ShardState.DRAINING, ShardState.ENDING, ShardState.ENDED):
        life.to(state)


def test_a_child_waits_for_its_parent() -> None:
    """A split's children may be read when the parent has ended, not before."""
    lineage = lineage_of(shard("p"), shard("a", "p"), shard("b", "p"))
    assert lineage.readable() == ["p"]
    assert lineage.waiting_for("a") == ["p"]
    start(lineage, "p")
    assert lineage.readable() == []
    end(lineage, "p")
    assert lineage.readable() == ["a", "b"]


def test_a_merged_shard_waits_for_both_parents() -> None:
    """One ended parent of a merge is not enough."""
    lineage = lineage_of(shard("a"), shard("b"), shard("m", "a", "b"))
    end(lineage, "a")
    assert lineage.waiting_for("m") == ["b"]
    assert "m" not in lineage.readable()
    end(lineage, "b")
    assert "m" in lineage.readable()


def test_a_parent_that_is_not_listed_counts_as_ended() -> None:
    """What has left the retention cannot be waited for."""
    assert lineage_of(shard("child", "long-gone")).readable() == ["child"]


def test_a_parent_that_left_the_listing_while_it_is_read_must_still_end() -> None:
    """Its last records may still be held and retried."""
    lineage = lineage_of(shard("p"), shard("c", "p"))
    start(lineage, "p")
    lineage.listing([shard("c", "p")], 1.0)
    assert lineage.readable() == []
    end(lineage, "p")
    assert lineage.readable() == ["c"]


def test_children_that_a_parent_announced_are_read_without_a_listing() -> None:
    """ChildShards at a shard's end are used at once."""
    lineage = lineage_of(shard("p"))
    end(lineage, "p")
    assert lineage.announce([shard("a", "p"), shard("b", "p")]) == ["a", "b"]
    assert lineage.readable() == ["a", "b"]
    assert lineage.listing([shard("p"), shard("a", "p"), shard("b", "p")], 1.0) == []


def test_an_announced_merge_waits_for_its_other_parent_though_no_listing_shows_that_yet() -> None:
    """The other parent of a merged shard may be too young to be known: it has not ended for that."""
    lineage = lineage_of(shard("a"))
    end(lineage, "a")
    lineage.announce([shard("m", "a", "young")])
    assert lineage.readable() == []
    lineage.listing([shard("a"), shard("young"), shard("m", "a", "young")], 1.0)
    assert lineage.readable() == ["young"]
    end(lineage, "young")
    assert lineage.readable() == ["m"]


def test_a_listing_that_shows_the_child_without_the_parent_settles_it() -> None:
    """An unknown parent has left the retention when the child is listed without it."""
    lineage = lineage_of(shard("a"))
    end(lineage, "a")
    lineage.announce([shard("m", "a", "gone")])
    lineage.listing([shard("a"), shard("m", "a", "gone")], 1.0)
    assert lineage.readable() == ["m"]


def test_a_remembered_shard_that_has_left_the_listing_is_still_read() -> None:
    """The engine finds out that it is gone, and says so: its checkpoint owes records."""
    lineage = Lineage()
    lineage.restore("old", (), ended=False)
    lineage.listing([], 1.0)
    assert lineage.readable() == ["old"]


def test_a_remembered_child_of_unknown_parents_does_not_wait_for_ever() -> None:
    """Neither the child nor its parents are listed any more: after a few listings they count as gone."""
    lineage = Lineage()
    lineage.restore("orphan", ("unknown",), ended=False)
    for now in (0.0, GONE_AFTER_SECONDS - 1):
        lineage.listing([], now)
        assert lineage.readable() == []
    lineage.listing([], GONE_AFTER_SECONDS)
    assert lineage.readable() == ["orphan"]


def test_an_ended_shard_is_kept_until_listings_have_lacked_it_for_minutes() -> None:
    """A listing that lags must not make an ended shard a new one, which would be read again from its beginning."""
    lineage = lineage_of(shard("p"))
    end(lineage, "p")
    for now in (1.0, 2.0, GONE_AFTER_SECONDS):
        lineage.listing([], now)
        assert lineage.gone() == []
    lineage.listing([shard("p")], GONE_AFTER_SECONDS + 0.5)
    lineage.listing([], GONE_AFTER_SECONDS + 1)
    lineage.listing([], GONE_AFTER_SECONDS + 2)
    assert lineage.gone() == []
    lineage.listing([], 2 * GONE_AFTER_SECONDS + 1)
    assert lineage.gone() == ["p"]
    lineage.forget(["p"])
    assert "p" not in lineage


def test_an_ended_parent_is_kept_while_a_child_that_is_not_listed_yet_names_it() -> None:
    """Without the parent the child could not tell whether it may be read."""
    lineage = lineage_of(shard("p"))
    end(lineage, "p")
    lineage.announce([shard("c", "p")])
    lineage.listing([], 1.0)
    lineage.listing([], 1.0 + GONE_AFTER_SECONDS)
    assert lineage.gone() == []
    lineage.listing([shard("c", "p")], 2.0 + GONE_AFTER_SECONDS)
    assert lineage.gone() == ["p"]
    lineage.forget(["p"])
    assert lineage.readable() == ["c"]


@st.composite
def histories(draw: st.DrawFn) -> list[ShardListing]:
    """A stream's whole history: shards with their parents, oldest first."""
    shards = [shard(f"s{index}") for index in range(draw(st.integers(1, 3)))]
    tips = [one.shard_id for one in shards]
    for _ in range(draw(st.integers(0, 12))):
        what = draw(st.sampled_from(["split", "merge", "roll"]))
        parents = [tips.pop(draw(st.integers(0, len(tips) - 1)))]
        if what == "merge" and tips:
            parents.append(tips.pop(draw(st.integers(0, len(tips) - 1))))
        for _ in range(2 if what == "split" else 1):
            child = shard(f"s{len(shards)}", *parents)
            shards.append(child)
            tips.append(child.shard_id)
    return shards


@given(histories(), st.data())
def test_every_shard_is_read_once_and_after_its_parents(history: list[ShardListing], data: st.DataObject) -> None:
    """Whatever is listed when, and in whatever order shards end: parents first, everything in the end, nothing twice."""
    lineage = Lineage()
    known = data.draw(st.integers(1, len(history)))
    lineage.listing(history[:known], 1.0)
    reading: list[str] = []
    ended: list[str] = []
    while len(ended) < len(history):
        if known < len(history) and (data.draw(st.booleans()) or not (reading or lineage.readable())):
            known = data.draw(st.integers(known + 1, len(history)))
            lineage.listing(history[:known], 1.0)
        for shard_id in lineage.readable():
            parents = next(one.parent_ids for one in history if one.shard_id == shard_id)
            assert set(parents) <= set(ended)
            assert shard_id not in reading
            assert shard_id not in ended
            start(lineage, shard_id)
            reading.append(shard_id)
        if reading:
            done = reading.pop(data.draw(st.integers(0, len(reading) - 1)))
            end(lineage, done)
            ended.append(done)
            if data.draw(st.booleans()):
                lineage.announce(one for one in history if done in one.parent_ids)
    assert sorted(ended) == sorted(one.shard_id for one in history)
    assert lineage.unfinished() == []


@given(histories(), st.data())
def test_a_trimmed_past_never_blocks_the_present(history: list[ShardListing], data: st.DataObject) -> None:
    """Without any prefix of its history, every listed shard is read."""
    listed = history[data.draw(st.integers(0, len(history) - 1)) :]
    lineage = lineage_of(*listed)
    left = {one.shard_id for one in listed}
    while left:
        readable = lineage.readable()
        assert readable
        for shard_id in readable:
            end(lineage, shard_id)
            left.discard(shard_id)


def test_a_shard_is_closed_when_a_listing_says_where_it_ended_or_who_follows() -> None:
    """Either is enough; what was seen once stays."""
    lineage = lineage_of(shard("open"), ShardListing("over", (), "1", "9"), shard("p"), shard("c", "p"))
    sights = {name: lineage.sight(name) for name in ("open", "over", "p", "c", "unknown")}
    assert sights == {
        "open": Sight.OPEN,
        "over": Sight.CLOSED,
        "p": Sight.CLOSED,
        "c": Sight.OPEN,
        "unknown": Sight.MISSING,
    }
    lineage.listing([shard("over")], 1.0)
    assert lineage.sight("over") is Sight.CLOSED
    assert lineage.sight("open") is Sight.MISSING


def test_what_is_called_ended_and_listed_as_open_is_suspect_and_then_contradicted() -> None:
    """Listings lag behind, so that one of them is not enough."""
    lineage = Lineage()
    lineage.restore("a", (), ended=True)
    assert lineage.suspects() == []
    lineage.listing([shard("a")], 100.0)
    assert lineage.suspects() == ["a"]
    assert lineage.contradicted(100.0 + OPEN_AFTER_SECONDS - 0.1) == []
    assert lineage.contradicted(100.0 + OPEN_AFTER_SECONDS) == ["a"]
    lineage.reopened("a")
    assert lineage.suspects() == []
    assert lineage.readable() == ["a"]


def test_ended_shards_that_have_children_or_an_end_in_the_listing_are_no_suspects() -> None:
    """Nor are those that are listed no more."""
    lineage = Lineage()
    for name in ("gone", "parent", "over"):
        lineage.restore(name, (), ended=True)
    lineage.restore("child", ("parent",), ended=False)
    lineage.listing([shard("parent"), ShardListing("over", (), "1", "9")], 0.0)
    lineage.listing([shard("parent"), ShardListing("over", (), "1", "9")], 100.0)
    assert lineage.suspects() == []
