"""How many receives, how much ahead, how many invocations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.sqs.scaling import RECEIVE_LIMIT, STREAK, Concurrency, Pace, ReceiveTarget


class TestReceiveTarget:
    """From one long poll when idle to as many as the backlog justifies, and back."""

    def test_idle_is_one(self) -> None:
        """Whatever number of empty replies come."""
        target = ReceiveTarget()
        for _ in range(5):
            target.returned(10, 0)

        assert target.idle
        assert target.target == 1

    def test_full_replies_double_it_each_round(self) -> None:
        """Each full reply justifies one more."""
        target = ReceiveTarget(at_most=16)
        rounds = 0
        while target.target < 16:
            for _ in range(target.target):
                target.returned(10, 10)
            rounds += 1

        assert rounds == 4

    def test_a_trickle_is_served_by_one(self) -> None:
        """A message now and then fills no receive."""
        target = ReceiveTarget()
        for _ in range(STREAK - 1):
            target.returned(10, 1)
        target.returned(10, 0)

        assert target.idle

    def test_many_small_replies_in_a_row_grow_slowly(self) -> None:
        """Receives of a large queue are often short."""
        target = ReceiveTarget()
        for _ in range(10 * STREAK):
            target.returned(10, 2)

        assert target.target == 11

    def test_an_empty_queue_is_noticed_at_once(self) -> None:
        """Each empty reply halves it."""
        target = ReceiveTarget(at_most=32)
        for _ in range(40):
            target.returned(10, 10)
        for _ in range(5):
            target.returned(10, 0)

        assert target.idle

    def test_permits_limit_it(self) -> None:
        """A mapping with one permit does not need many empty replies to be idle again."""
        target = ReceiveTarget()
        target.limit(1)
        for _ in range(40):
            target.returned(10, 10)

        assert target.target == 2

    def test_a_failure_leaves_one_to_try(self) -> None:
        """Not all at once."""
        target = ReceiveTarget()
        for _ in range(40):
            target.returned(10, 10)

        target.failed()

        assert target.target == 1

    @given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 10)), max_size=200), st.integers(1, 50))
    def test_it_stays_within_its_bounds(self, replies: list[tuple[int, int]], at_most: int) -> None:
        """At least one, at most what was said."""
        target = ReceiveTarget(at_most)
        for asked, got in replies:
            target.returned(asked, min(asked, got))
            assert 1 <= target.target <= at_most


class TestConcurrency:
    """docs/lambda 2.5: gradually less while the function fails."""

    def test_a_function_that_only_fails_is_soon_called_once_at_a_time(self) -> None:
        """But never not at all."""
        concurrency = Concurrency()
        for _ in range(100):
            concurrency.failed(50)

        assert concurrency.allowed(50) == 1

    def test_it_recovers_with_successes(self) -> None:
        """One for each."""
        concurrency = Concurrency()
        for _ in range(100):
            concurrency.failed(10)
        seen = []
        for _ in range(12):
            concurrency.succeeded()
            seen.append(concurrency.allowed(10))

        assert seen == [2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10]

    def test_a_failure_now_and_then_costs_little(self) -> None:
        """One in twenty leaves most of it."""
        concurrency = Concurrency()
        for turn in range(2_000):
            if turn % 20:
                concurrency.succeeded()
            else:
                concurrency.failed(100)
            assert concurrency.allowed(100) >= 80

    def test_a_changed_limit_counts_at_once(self) -> None:
        """Up or down."""
        concurrency = Concurrency()
        assert concurrency.allowed(5) == 5
        assert concurrency.allowed(8) == 8
        concurrency.failed(8)
        assert concurrency.allowed(3) == 3

    @given(st.lists(st.booleans(), max_size=300), st.integers(0, 100))
    def test_it_is_always_between_one_and_the_limit(self, outcomes: list[bool], limit: int) -> None:
        """Also where the limit itself is 0 for a moment."""
        concurrency = Concurrency()
        for good in outcomes:
            concurrency.succeeded() if good else concurrency.failed(limit)
            assert 1 <= concurrency.allowed(limit) <= max(1, limit)


class TestPace:
    """How far ahead of permits to receive."""

    def test_nothing_is_known_at_first(self) -> None:
        """So nothing is received ahead."""
        assert Pace().ahead(1, 5) == 0

    def test_a_quick_function_is_read_ahead_by_a_receive_each(self) -> None:
        """At most ten messages for each permit."""
        pace = Pace()
        pace.took(0.001)

        assert pace.ahead(1, 5) == 50

    def test_a_slow_function_is_not_read_ahead(self) -> None:
        """The tenth message of a receive would wait for nine invocations."""
        pace = Pace()
        pace.took(60)

        assert pace.ahead(1, 5) == 0

    def test_in_between_as_much_as_starts_within_a_second(self) -> None:
        """Five at a time, 0.4 seconds each: twelve and a half a second."""
        pace = Pace()
        pace.took(0.4)

        assert pace.ahead(1, 5) == 12

    def test_full_receives_need_no_reading_ahead(self) -> None:
        """A receive is a batch."""
        pace = Pace()
        pace.took(0.001)

        assert pace.ahead(RECEIVE_LIMIT, 5) == 0

    def test_it_follows_a_function_that_becomes_slow(self) -> None:
        """Within some invocations."""
        pace = Pace()
        pace.took(0.001)
        for _ in range(10):
            pace.took(30)

        assert pace.ahead(1, 1) == 0
