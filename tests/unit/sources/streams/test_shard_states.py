"""The states of a shard: what may follow what, whoever drives it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.streams import shard_states
from pollers.sources.streams.shard_states import TRANSITIONS, IllegalTransition, ShardLife, ShardState

DOCS = Path(__file__).parents[4] / "docs"


@given(st.lists(st.sampled_from(ShardState), max_size=60))
def test_a_shard_goes_only_where_an_arrow_leads(wanted: list[ShardState]) -> None:
    """Whatever is asked of it: every other step is refused and changes nothing."""
    life = ShardLife("shardId-0")
    for state in wanted:
        before = life.state
        if state in TRANSITIONS[before]:
            life.to(state)
            assert life.state is state
        else:
            with pytest.raises(IllegalTransition, match=f"cannot go from {before.value} to {state.value}"):
                life.to(state)
            assert life.state is before


@given(st.data())
def test_a_shard_that_was_read_ends_only_with_its_last_record_done(data: st.DataObject) -> None:
    """On every way through the picture: ENDED comes from ENDING or from a checkpoint that says so, never from READING."""
    life, came = ShardLife("shardId-0"), [ShardState.WAITING]
    for _ in range(data.draw(st.integers(0, 40))):
        onward = sorted(TRANSITIONS[life.state], key=lambda state: state.value)
        if not onward:
            break
        life.to(data.draw(st.sampled_from(onward)))
        came.append(life.state)
    for before, after in pairwise(came):
        if after is ShardState.ENDED:
            assert before in (ShardState.ENDING, ShardState.WAITING)
        if after is ShardState.ENDING:
            assert before is ShardState.DRAINING
        if after is ShardState.LOST:
            assert before in (ShardState.READING, ShardState.DRAINING, ShardState.ENDING)


def test_what_a_state_means_for_those_who_ask() -> None:
    """Who may work on a shard, read on, start its children."""
    asked = {state: ShardLife("shardId-0", state) for state in ShardState}
    assert {state for state, life in asked.items() if life.ours} == {
        ShardState.READING,
        ShardState.DRAINING,
        ShardState.ENDING,
    }
    assert {state for state, life in asked.items() if life.closed} == {
        ShardState.DRAINING,
        ShardState.ENDING,
        ShardState.ENDED,
    }
    assert [state for state, life in asked.items() if life.ended] == [ShardState.ENDED]
    assert [state for state, life in asked.items() if life.lost] == [ShardState.LOST]


def test_every_state_can_be_reached_and_stands_in_the_picture() -> None:
    """The picture of the module is that of docs/streams.md."""
    reached, before = {ShardState.WAITING}, set[ShardState]()
    while reached != before:
        before = set(reached)
        reached |= {after for state in before for after in TRANSITIONS[state]}
    assert reached == set(ShardState)
    drawn = shard_states.__doc__ or ""
    picture = [line[4:] for line in drawn[drawn.index("::") :].split("\n\n")[1].splitlines()]
    assert {state.name for state in ShardState} <= set(re.findall(r"[A-Z_]+", "\n".join(picture)))
    assert "\n".join(picture) in (DOCS / "streams.md").read_text()
