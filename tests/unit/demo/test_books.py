"""The demo's closing proof: it must find every way in which books can fail to balance."""

from __future__ import annotations

import pytest

from pollers.demo.books import Delivery, Sent, close_account


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
