"""What a replica takes, asks for, gives away and believes."""

from __future__ import annotations

import random

from pollers.leases.leases import Leases, Take
from pollers.leases.seen import Ask, Seen

ME, YOU, THIRD = "headrace/a/1/x", "headrace/b/1/y", "headrace/c/1/z"
KCL = "ip-10-0-0-1:5e8e"
FAILOVER = 10.0


def leases(*items: Seen, with_kcl: bool = False) -> Leases:
    """A replica that has scanned these once, at 0."""
    made = Leases(ME, FAILOVER, random.Random(1), with_kcl=with_kcl)
    made.scanned(items, 0, 0.1)
    return made


def look(one: Leases, *items: Seen, until: float, since: float = 0.5) -> None:
    """Scans of the same items, twice a second."""
    now = since
    while now <= until:
        one.scanned(items, now, now + 0.1)
        now += 0.5


def take_all(one: Leases, readable: list[str], now: float) -> set[str]:
    """Take what it wants to, as if nobody else did."""
    taken: set[str] = set()
    while takes := one.takes(readable):
        for take in takes:
            one.took(Seen(take.shard_id, take.counter + 1, ME), now, now)
            taken.add(take.shard_id)
    return taken


def test_what_is_free_is_taken_at_once() -> None:
    """A free lease needs no waiting."""
    assert leases(Seen("s1", 4)).takes(["s1"]) == [Take("s1", 4, None)]


def test_a_single_replica_takes_all_of_many() -> None:
    """Some at a time, until nothing is left."""
    names = [f"s{number}" for number in range(100)]
    assert take_all(leases(*(Seen(name, 0) for name in names)), names, 1) == set(names)


def test_what_another_owns_is_not_taken_before_it_has_been_silent_for_a_failover() -> None:
    """Counted from the first look at it."""
    one = leases(Seen("s1", 4, YOU))
    look(one, Seen("s1", 4, YOU), until=10)
    assert one.takes(["s1"]) == []
    assert one.elsewhere(["s1"]) == {"s1"}
    look(one, Seen("s1", 4, YOU), since=10.5, until=11)
    assert one.takes(["s1"]) == [Take("s1", 4, YOU)]
    assert one.elsewhere(["s1"]) == frozenset()


def test_a_stall_of_this_replica_alone_expires_nothing() -> None:
    """Nobody looked meanwhile, so nothing is known: all is observed afresh."""
    one = leases(Seen("s1", 4, YOU))
    look(one, Seen("s1", 4, YOU), until=3)
    look(one, Seen("s1", 4, YOU), since=300, until=309)
    assert one.takes(["s1"]) == []
    look(one, Seen("s1", 4, YOU), since=309.5, until=311)
    assert one.takes(["s1"])


def test_a_lease_is_in_time_for_a_failover_from_before_its_renewal() -> None:
    """However long the reply took."""
    one = leases(Seen("s1", 4))
    one.took(Seen("s1", 5, ME), 1, 6)
    assert one.in_time("s1", 10.9)
    assert not one.in_time("s1", 11)


def test_what_was_given_to_me_is_taken_whatever_i_have() -> None:
    """A named successor does not wait."""
    one = leases(Seen("s1", 0), Seen("s2", 5, YOU), Seen("s3", 5, ME))
    one.took(Seen("s1", 1, ME), 0.2, 0.3)
    assert one.takes(["s1", "s2", "s3"]) == [Take("s3", 5, ME)]


def test_a_newcomer_asks_for_its_share() -> None:
    """Half of what the only other one has."""
    names = [f"s{number}" for number in range(16)]
    one = leases(*(Seen(name, 3, YOU) for name in names))
    assert one.takes(names) == []
    asks = one.asks(names, 1)
    assert len({ask.shard_id for ask in asks}) == 8
    assert {(ask.owner, ask.before, ask.ask) for ask in asks} == {(YOU, None, Ask(ME, 0))}


def test_who_is_asked_for_too_much_keeps_its_share() -> None:
    """Two newcomers that do not know each other ask for half of six each; two are handed over to each."""
    one = leases(*(Seen(f"s{number}", 3) for number in range(6)))
    take_all(one, [f"s{number}" for number in range(6)], 0.2)
    for number in range(6):
        one.saw(Seen(f"s{number}", 4, ME, asked=Ask(YOU if number < 3 else THIRD, 0)), 1, 1.1)
    wanted = one.wanted()
    assert len(wanted) == 4
    assert sorted(str(one.successor(name)) for name in wanted) == [YOU, YOU, THIRD, THIRD]


def test_a_live_foreign_owner_is_named() -> None:
    """It must have been seen to move; until that is known nothing is taken."""
    one = leases(Seen("s1", 4, KCL), Seen("s2", 4))
    assert (one.foreign(), one.takes(["s2"])) == ((), [])
    one.scanned([Seen("s1", 5, KCL), Seen("s2", 4)], 3, 3.1)
    assert one.foreign() == (KCL,)
