"""FIFO waiting: order within a group, never two batches of one group at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pollers.engine.batching import RECORDS, Limits
from pollers.sources.sqs.groups import MessageGroups
from pollers.sources.sqs.message import Held


def held(group: str, sequence: int, size: int = 2) -> Held:
    return Held(f"{group}{sequence}", "handle", b"x" * size, group, 1, 0.0, 30.0, sequence)


def groups_of(*messages: Held, size: int = 10) -> MessageGroups:
    waiting = MessageGroups(Limits(size))
    for message in messages:
        waiting.add(message, 0.0)
    return waiting


def ids(messages: list[Held]) -> list[str]:
    return [message.id for message in messages]


def test_a_batch_holds_several_groups_in_the_order_of_arrival() -> None:
    """As the queue gave them."""
    waiting = groups_of(held("a", 1), held("b", 2), held("a", 3))

    assert ids(waiting.take(0.0)) == ["a1", "b2", "a3"]


def test_the_rest_of_a_group_waits_for_its_batch() -> None:
    """Other groups do not."""
    waiting = groups_of(held("a", 1), held("a", 2), held("b", 3), size=1)

    assert ids(waiting.take(0.0)) == ["a1"]
    assert (waiting.count, waiting.runnable) == (2, 1)
    assert ids(waiting.take(0.0)) == ["b3"]
    assert not waiting.ready(0.0)
    waiting.release("a")
    assert ids(waiting.take(0.0)) == ["a2"]


def test_what_is_behind_a_failure_is_taken_out_in_order() -> None:
    """All of its group, nothing of others."""
    waiting = groups_of(held("a", 1), held("a", 2), held("b", 3), held("a", 4), size=1)
    waiting.take(0.0)

    assert ids(waiting.behind("a")) == ["a2", "a4"]
    assert waiting.behind("a") == []
    assert waiting.count == 1


def test_a_discarded_message_takes_its_group_along() -> None:
    """The group is busy until that is settled, even if a batch of it is released meanwhile."""
    waiting = groups_of(held("a", 1), held("a", 2), held("a", 3), held("b", 4), size=1)
    waiting.take(0.0)
    second = next(message for message in [held("a", 2)])

    assert ids(waiting.discard([second])) == ["a2", "a3"]
    waiting.add(held("a", 5), 0.0)
    waiting.release("a")
    assert ids(waiting.take(0.0)) == ["b4"]
    waiting.release("a")
    assert ids(waiting.take(0.0)) == ["a5"]


def test_discarding_what_is_not_there_changes_nothing() -> None:
    """A message that is no longer waiting was settled elsewhere."""
    waiting = groups_of(held("a", 1))

    assert waiting.discard([held("a", 9)]) == []
    assert waiting.ready(0.0)


def test_a_message_too_large_for_any_event_goes_alone_in_its_turn() -> None:
    """So that it fails where it stands."""
    waiting = MessageGroups(Limits(10, payload_bytes=RECORDS.size_bytes + 20))
    for message in (held("a", 1), held("a", 2, size=500), held("a", 3)):
        waiting.add(message, 0.0)

    batches = []
    while waiting.ready(0.0):
        batches.append(ids(waiting.take(0.0)))
        waiting.release("a")

    assert batches == [["a1"], ["a2"], ["a3"]]


def test_draining_leaves_what_waits_behind_a_busy_group() -> None:
    """It must not be seen while the group still runs."""
    waiting = groups_of(held("a", 1), held("a", 2), held("b", 3), size=1)
    waiting.take(0.0)

    assert ids(waiting.drain()) == ["b3"]
    waiting.release("a")
    assert ids(waiting.drain()) == ["a2"]
    assert waiting.count == waiting.runnable == 0


def test_a_message_that_arrives_late_stands_where_it_belongs() -> None:
    """Some emulators show parts of a group out of order."""
    waiting = groups_of(held("b", 1), held("a", 5), held("b", 6), held("a", 2), held("a", 7))

    assert [one for one in ids(waiting.take(0.0)) if one.startswith("a")] == ["a2", "a5", "a7"]


def test_nothing_overtakes_a_hidden_message_of_its_group() -> None:
    """Until it is seen again, or could have been; other groups are free."""
    waiting = groups_of()
    waiting.hide(held("a", 5), until=40.0, now=0.0)
    waiting.hide(held("a", 4), until=40.0, now=0.0)

    assert waiting.overtakes(held("a", 6), 10.0) == 40.0
    assert waiting.overtakes(held("b", 6), 10.0) is None
    assert waiting.overtakes(held("a", 4), 10.0) is None
    assert waiting.overtakes(held("a", 6), 10.0) is None


def test_a_hidden_message_that_never_returns_is_forgotten_in_time() -> None:
    """It may have gone to the dead-letter queue."""
    waiting = groups_of()
    waiting.hide(held("a", 4), until=40.0, now=0.0)

    assert waiting.overtakes(held("a", 6), 40.0) is None
    assert waiting.overtakes(held("a", 7), 10.0) is None


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(min_value=1, max_value=10), st.integers(0, 3))
def test_any_arrival_runs_completely_in_the_order_of_its_groups(groups: str, size: int, at_a_time: int) -> None:
    """However many batches run side by side."""
    waiting = groups_of(*(held(group, number) for number, group in enumerate(groups)), size=size)
    running: list[list[Held]] = []
    done: list[str] = []
    while waiting.ready(0.0) or running:
        while waiting.ready(0.0) and len(running) <= at_a_time:
            running.append(waiting.take(0.0))
            assert 0 < len(running[-1]) <= size
        batch = running.pop(0)
        done += ids(batch)
        for group in {message.group for message in batch}:
            waiting.release(group)

    assert len(done) == len(groups)
    for group in "abc":
        line = [int(one[1:]) for one in done if one[0] == group]
        assert line == sorted(line)


class LanesModel(RuleBasedStateMachine):
    """MessageGroups against a plain model: a line of messages and a count of who occupies each group."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = MessageGroups(Limits(3))
        self.line: list[Held] = []
        self.busy: list[str] = []
        self.sequence = 0

    @rule(group=st.sampled_from("abc"))
    def arrives(self, group: str) -> None:
        self.sequence += 1
        message = held(group, self.sequence)
        self.waiting.add(message, 0.0)
        self.line.append(message)

    @precondition(lambda self: self.waiting.ready(0.0))
    @rule()
    def a_batch_starts(self) -> None:
        free = [message for message in self.line if message.group not in self.busy][:3]
        assert self.waiting.take(0.0) == free
        self.line = [message for message in self.line if message not in free]
        self.busy += sorted({message.group or "" for message in free})

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def a_group_is_released(self, data: st.DataObject) -> None:
        group = data.draw(st.sampled_from(self.busy))
        self.busy.remove(group)
        self.waiting.release(group)

    @rule(group=st.sampled_from("abc"))
    def a_group_fails(self, group: str) -> None:
        behind = [message for message in self.line if message.group == group]
        assert self.waiting.behind(group) == behind
        self.line = [message for message in self.line if message.group != group]

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def a_claim_lapses(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.line))
        gone = [other for other in self.line if other.group == message.group]
        assert self.waiting.discard([message]) == gone
        self.line = [other for other in self.line if other not in gone]
        self.busy.append(message.group or "")

    @invariant()
    def counts_agree(self) -> None:
        free = [message for message in self.line if message.group not in self.busy]
        assert self.waiting.count == len(self.line)
        assert self.waiting.runnable == len(free)
        assert self.waiting.ready(0.0) == bool(free)


TestLanesModel = LanesModel.TestCase


@pytest.mark.parametrize("size", [1, 10])
def test_a_fifo_queue_without_group_ids_is_one_group(size: int) -> None:
    """Should an emulator leave them out, order counts more than speed."""
    waiting = MessageGroups(Limits(size))
    for number in range(3):
        waiting.add(Held(str(number), "handle", b"{}", None, 1, 0.0, 30.0, number), 0.0)

    first = waiting.take(0.0)

    assert ids(first) == [str(number) for number in range(min(size, 3))]
    assert not waiting.ready(0.0)
