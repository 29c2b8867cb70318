"""The demo's closing proof: it must find every way in which books can fail to balance."""

from __future__ import annotations

import pytest

from pollers.demo.books import Account, Delivery, Sent, close_account, queue_faults
from pollers.invocations import FunctionBooks


def sent(*identifiers: str, poison: tuple[str, ...] = (), lane: str | None = None) -> Sent:
    what = Sent()
    for identifier in identifiers:
        what.add(identifier, lane=lane, poison=identifier in poison)
    return what


def accepted(*identifiers: str) -> list[Delivery]:
    return [Delivery(identifier, accepted=True) for identifier in identifiers]


def refused(*identifiers: str) -> list[Delivery]:
    return [Delivery(identifier, accepted=False) for identifier in identifiers]


def test_balanced_books_have_no_faults() -> None:
    """Handled or dead-lettered after exactly the allowed deliveries; a second delivery is allowed and counted."""
    account = close_account(
        "q",
        sent("a", "b", "p", poison=("p",)),
        [*accepted("a", "b", "a"), *refused("p", "p", "p")],
        ["p"],
        maximum_receives=3,
    )
    assert account.faults == ()
    assert (account.sent, account.handled, account.dead, account.again) == (3, 2, 1, 1)


@pytest.mark.parametrize(
    ("deliveries", "dead", "fault"),
    [
        ([*accepted("a"), *refused("p", "p", "p")], ["p"], "1 lost: b"),
        ([*accepted("a", "b"), *refused("p", "p")], ["p"], "1 poison not delivered exactly 3 times: p (2 times)"),
        ([*accepted("a", "b"), *refused("p", "p", "p")], [], "1 poison that was not dead-lettered: p"),
        ([*accepted("a", "b"), *refused("p", "p", "p")], ["p", "b"], "1 both handled and dead: b"),
        ([*accepted("a"), *refused("p", "p", "p")], ["p", "b"], "1 dead-lettered without being poison: b"),
        ([*accepted("a", "b", "x"), *refused("p", "p", "p")], ["p"], "1 never sent: x"),
    ],
)
def test_each_fault_is_found_and_named(deliveries: list[Delivery], dead: list[str], fault: str) -> None:
    """Nothing that goes wrong passes silently."""
    account = close_account("q", sent("a", "b", "p", poison=("p",)), deliveries, dead, maximum_receives=3)
    assert fault in account.faults


def test_order_within_a_lane_is_checked_on_first_acceptances() -> None:
    """Running ahead is a fault; a late duplicate of an earlier event is not."""
    one_two_three = sent("1", "2", "3", lane="g")
    assert close_account("q", one_two_three, accepted("1", "2", "1", "3"), []).faults == ()
    assert close_account("q", one_two_three, accepted("1", "3", "2"), []).faults == ("1 out of order: 2",)


def test_every_event_has_a_record_in_a_destination() -> None:
    """One of success or one of failure; a second one is allowed and counted, one that is missing or wrong is a fault."""
    what = sent("a", "b", "p", poison=("p",))
    deliveries = [*accepted("a", "b"), *refused("p")]

    def close(dead: list[str], done: list[str]) -> Account:
        return close_account("f", what, deliveries, dead, maximum_receives=1, done=done)

    assert close(["p"], ["a", "b"]).faults == ()
    assert (close(["p", "p"], ["a", "b", "a"]).faults, close(["p", "p"], ["a", "b", "a"]).again) == ((), 2)
    assert close(["p"], ["a"]).faults == ("1 handled and not in the destination: b",)
    assert close(["p"], ["a", "b", "p"]).faults == ("1 in the destination and not handled: p",)


@pytest.mark.parametrize(
    ("queue", "fault"),
    [
        (FunctionBooks(accepted=4, succeeded=3, failed=1), "4 accepted instead of 3"),
        (FunctionBooks(accepted=3, succeeded=1, failed=1, dropped=1), "1 dropped instead of 0"),
        (FunctionBooks(accepted=3, succeeded=1, failed=1, queued=1), "1 still queued instead of 0"),
        (FunctionBooks(accepted=3, succeeded=2, failed=1, reporting=1), "1 still to be reported instead of 0"),
        (FunctionBooks(accepted=3, succeeded=2), "the queue's books do not balance"),
    ],
)
def test_the_queues_own_books_must_say_the_same(queue: FunctionBooks, fault: str) -> None:
    """What was accepted, and what became of it."""
    account = Account("f", sent=3, handled=2, dead=1, again=0, poison=1, faults=())
    assert queue_faults(account, FunctionBooks(accepted=3, succeeded=2, failed=1)) == ()
    assert fault in queue_faults(account, queue)
