"""Replicas that share leases, with whatever goes wrong: the table's world in ``tests/worlds/lease_replicas.py``."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.worlds.lease_replicas import Faults, World

FAILOVER = 10.0
QUIET = Faults()


def world(seed: int, shards: int, replicas: int) -> World:
    """Replicas that have shared the shards for a while."""
    made = World(seed)
    made.add(shards)
    for _ in range(replicas):
        made.join()
    made.until_balanced(10)
    made.run(10)
    return made


def moves_in(one: World, seconds: float) -> int:
    """Takes in the time to come."""
    before = len(one.moves)
    one.run(seconds)
    return len(one.moves) - before


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("shards", "replicas"), [(2, 4), (16, 4), (64, 3)])
def test_a_cold_start_is_balanced_soon_and_stays_so(seed: int, shards: int, replicas: int) -> None:
    """No more hand-overs than shards, and none in ten rounds of looks after."""
    made = World(seed)
    made.add(shards)
    for _ in range(replicas):
        made.join()
    made.until_balanced(5)
    assert len(made.moves) <= 2 * shards
    assert moves_in(made, 10) == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_newcomer_gets_its_share_and_nothing_else_moves(seed: int) -> None:
    """Of 30 shards on two replicas, ten go to the third."""
    made = world(seed, 30, 2)
    before = len(made.moves)
    made.join()
    made.until_balanced(5)
    made.run(10)
    assert len(made.moves) - before == 10


@pytest.mark.parametrize("seed", range(3))
def test_spares_are_quiet(seed: int) -> None:
    """With more replicas than shards nothing moves, and nobody asks."""
    made = world(seed, 3, 5)
    asks, moves = made.costs.asks, len(made.moves)
    made.join()
    made.run(30)
    assert (made.costs.asks, len(made.moves)) == (asks, moves)


@pytest.mark.parametrize("seed", range(3))
def test_the_shards_of_a_dead_replica_are_taken_within_two_failovers(seed: int) -> None:
    """Also when all the others have their share."""
    made = world(seed, 16, 4)
    dead = made.replicas[seed % 4]
    dead.dead = True
    assert made.until_balanced(2 * FAILOVER) > FAILOVER / 2
    assert moves_in(made, 10) == 0


@pytest.mark.parametrize("failover", [4.0, 10.0])
def test_the_shards_of_a_dead_replica_are_taken_within_two_failovers_in_a_large_table(failover: float) -> None:
    """Whole looks are rarer there, but never so rare that they see nothing stand still."""
    made = World(0, failover=failover)
    made.add(120)
    for _ in range(3):
        made.join()
    made.until_balanced(30)
    made.run(2 * failover)
    dead, began, before = made.replicas[1], made.now, len(made.moves)
    dead.dead = True
    made.run(3 * failover)
    taken = [when for when, _, owner, _ in made.moves[before:] if owner == dead.leases.me]
    assert len(taken) == 40
    assert max(taken) - began < 2 * failover
    assert made.balanced


@pytest.mark.parametrize("seed", range(3))
def test_replicas_that_stop_hand_over_at_once(seed: int) -> None:
    """Whatever they have is taken within two looks after their batches have ended, and only once."""
    made = world(seed, 16, 4)
    before = len(made.moves)
    made.living[0].leave()
    assert made.until_balanced(3) < 2
    made.run(10)
    assert len(made.moves) - before == 4


@pytest.mark.parametrize("seed", range(3))
def test_a_rolling_restart_leaves_nothing_unread_and_ends_balanced(seed: int) -> None:
    """Each replica is replaced by a new one, which comes first."""
    made = world(seed, 16, 4)
    for old in list(made.replicas):
        made.join()
        made.run(5)
        old.leave()
        made.run(5)
        assert old.dead
    made.until_balanced(5)
    assert len(made.living) == 4


@pytest.mark.parametrize("seed", range(3))
def test_a_stall_shorter_than_a_failover_costs_nobody_a_lease(seed: int) -> None:
    """Renewals come late, and in time."""
    made = world(seed, 16, 4)
    made.replicas[0].stall(FAILOVER / 2)
    assert moves_in(made, 30) == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_stall_of_everybody_costs_nobody_a_lease(seed: int) -> None:
    """The table was out of reach, or the machine was suspended: afterwards all go on with what they had."""
    made = world(seed, 16, 4)
    for one in made.replicas:
        one.stall(FAILOVER * 30)
    assert moves_in(made, FAILOVER * 40) == 0


@pytest.mark.parametrize("seed", range(1))
def test_asks_that_long_batches_answer_late_make_no_storm(seed: int) -> None:
    """Batches of up to 15 minutes: what is asked for comes when they end, and few asks are ever made."""
    made = world(seed, 16, 2)
    made.batch_seconds = 900
    before = len(made.moves)
    made.join()
    made.run(2000)
    assert made.balanced
    assert len(made.moves) - before <= 16
    assert made.costs.asks <= 64


class Sharing(RuleBasedStateMachine):
    """Anything may happen in any order. When it is over, all that is left is shared evenly, and nothing moves any more.

    That nobody believes in a lease that another has taken is checked at each take.
    """

    @initialize(
        seed=st.integers(0, 2**32),
        shards=st.integers(1, 24),
        replicas=st.integers(1, 4),
        batch=st.sampled_from([0.05, 8.0]),
    )
    def begin(self, seed: int, shards: int, replicas: int, batch: float) -> None:
        """A cold start."""
        self.world = World(seed, batch_seconds=batch)
        self.world.add(shards)
        for _ in range(replicas):
            self.world.join()

    @rule(seconds=st.sampled_from([0.1, 0.7, 3.0, 11.0, 25.0]))
    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.world.run(seconds)

    @precondition(lambda self: len(self.world.living) < 6)
    @rule()
    def join(self) -> None:
        """One more."""
        self.world.join()

    @precondition(lambda self: len(self.world.living) > 1)
    @rule(which=st.integers(0, 9))
    def die(self, which: int) -> None:
        """One less, in the midst of whatever it does."""
        self.world.living[which % len(self.world.living)].dead = True

    @precondition(lambda self: len(self.world.living) > 1)
    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        """One less, in order."""
        self.world.living[which % len(self.world.living)].leave()

    @rule(which=st.integers(0, 9), seconds=st.sampled_from([1.0, 6.0, 12.0, 100.0]))
    def stall(self, which: int, seconds: float) -> None:
        """One does nothing for a time."""
        self.world.living[which % len(self.world.living)].stall(seconds)

    @rule(seconds=st.sampled_from([1.0, 6.0, 12.0, 100.0]))
    def stall_all(self, seconds: float) -> None:
        """The machine of all is suspended."""
        for one in self.world.replicas:
            one.stall(seconds)

    @rule(
        faults=st.builds(
            Faults, fails=st.sampled_from([0.0, 0.3]), lost=st.sampled_from([0.0, 0.3]), stale=st.just(0.3)
        )
    )
    def trouble(self, faults: Faults) -> None:
        """From now on requests fail, replies are lost, and scans show what is old."""
        self.world.faults = faults

    @rule()
    def no_trouble(self) -> None:
        """From now on all works."""
        self.world.faults = QUIET

    @rule(count=st.integers(1, 8))
    def new_shards(self, count: int) -> None:
        """The stream has more shards."""
        self.world.add(count)

    def teardown(self) -> None:
        """In the end all is shared among those that are left, and stays where it is."""
        if not hasattr(self, "world"):
            return
        self.world.faults = QUIET
        self.world.run(150)
        self.world.until_balanced(10)
        assert moves_in(self.world, 20) == 0


Sharing.TestCase.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
TestSharing = Sharing.TestCase
