"""What a replica takes, asks for, gives away and believes."""

from __future__ import annotations

import random

from pollers.leases.leases import Leases, Take
from pollers.leases.looking import GIVEN_SECONDS
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
    """Take what it wants to at one look, as if nobody else did."""
    taken: set[str] = set()
    one.asks(readable, now)
    while takes := one.takes(readable):
        for take in takes:
            one.took(Seen(take.shard_id, take.counter + 1, ME), now, now)
            taken.add(take.shard_id)
    return taken


def test_what_is_free_is_taken_at_once() -> None:
    """A free lease needs no waiting."""
    assert leases(Seen("s1", 4)).takes(["s1"]) == [Take("s1", 4, None)]


def test_a_single_replica_takes_all_of_many() -> None:
    """Twice as many at each look, so that others that have just started get their part."""
    names = [f"s{number}" for number in range(100)]
    one = leases(*(Seen(name, 0) for name in names))
    assert [len(take_all(one, names, look / 2)) for look in range(1, 6)] == [8, 16, 32, 44, 0]


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


def test_a_foreign_owner_that_has_been_silent_for_a_failover_is_dead() -> None:
    """The table of a stopped application is taken over."""
    one = leases(Seen("s1", 4, KCL), Seen("s2", 4))
    look(one, Seen("s1", 4, KCL), Seen("s2", 4), until=11)
    assert (one.settled, one.foreign()) == (True, ())
    assert {take.shard_id for take in one.takes(["s1", "s2"])} == {"s1", "s2"}


def test_beside_live_foreign_owners_only_what_is_free_is_taken_and_nobody_is_asked() -> None:
    """With ``with_kcl``; they count as workers."""
    others = [Seen(f"s{number}", 4, KCL) for number in range(8)]
    one = leases(*others, Seen("s8", 4), with_kcl=True)
    one.scanned([*(Seen(f"s{number}", 5, KCL) for number in range(8)), Seen("s8", 4)], 3, 3.1)
    names = [f"s{number}" for number in range(9)]
    assert one.takes(names) == [Take("s8", 4, None)]
    one.took(Seen("s8", 5, ME), 3.2, 3.3)
    assert one.asks(names, 3.4) == []


def test_ended_leases_count_for_nothing() -> None:
    """They are neither taken nor asked for, and nobody has more for having them."""
    one = leases(
        *(Seen(f"s{number}", 4, YOU, ended=True) for number in range(6)), Seen("s7", 1, YOU), Seen("s8", 1, ended=True)
    )
    names = [*(f"s{number}" for number in range(6)), "s7", "s8"]
    assert (one.takes(names), one.asks(names, 1)) == ([], [])


def test_a_replica_never_takes_from_itself() -> None:
    """However long it could not renew: its lease is renewed with the old counter, not taken."""
    one = leases(Seen("s1", 4))
    one.took(Seen("s1", 5, ME), 0.2, 0.3)
    look(one, Seen("s1", 5, ME), until=40)
    assert not one.in_time("s1", 40)
    assert one.takes(["s1"]) == []
    assert one.due(40) == ["s1"]


def test_a_released_lease_stays_released_whatever_an_old_scan_shows() -> None:
    """Reads may lag behind writes."""
    one = leases(Seen("s1", 4), Seen("s2", 4, YOU))
    one.took(Seen("s1", 5, ME), 0.2, 0.3)
    assert one.successor("s1") == YOU
    one.gave(Seen("s1", 6, YOU), 1, 1.1)
    one.scanned([Seen("s1", 5, ME), Seen("s2", 4, YOU)], 1.2, 1.3)
    assert one.takes(["s1", "s2"]) == []
    assert one.elsewhere(["s1"]) == {"s1"}


def test_a_lease_seen_with_another_is_lost() -> None:
    """By its counter; an older look at its former owner is none."""
    one = leases(Seen("s1", 4, YOU))
    one.took(Seen("s1", 5, ME), 0.2, 0.3)
    one.scanned([Seen("s1", 4, YOU)], 0.25, 0.4)
    assert one.lost == frozenset()
    one.scanned([Seen("s1", 6, YOU)], 1, 1.1)
    assert one.lost == {"s1"}
    assert one.mine == frozenset()
    assert not one.in_time("s1", 1.2)
    one.dropped("s1")
    assert one.lost == frozenset()


def test_a_lease_whose_item_is_gone_is_lost() -> None:
    """Somebody deleted it by hand."""
    one = leases(Seen("s1", 4))
    one.took(Seen("s1", 5, ME), 0.2, 0.3)
    one.gone("s1")
    assert one.lost == {"s1"}


def test_an_item_that_was_made_anew_is_believed_once_no_read_can_be_so_old() -> None:
    """Its counter begins again."""
    one = leases(Seen("s1", 57, YOU))
    one.scanned([Seen("s1", 0)], 1, 1.1)
    assert one.takes(["s1"]) == []
    one.scanned([Seen("s1", 0)], 11, 11.1)
    assert one.takes(["s1"]) == [Take("s1", 0, None)]


def test_what_a_complete_scan_lacks_is_forgotten() -> None:
    """Unless it was seen after the scan had begun."""
    one = leases(Seen("s1", 4), Seen("s2", 4))
    one.saw(Seen("s3", 0), 2, 2.1)
    one.scanned([Seen("s1", 4)], 1, 2.2)
    assert {take.shard_id for take in one.takes(["s1", "s2", "s3"])} == {"s1", "s3"}


def test_a_leaver_counts_as_no_worker_and_gets_nothing() -> None:
    """Its leases count nevertheless: they are to be shared by the others."""
    one = leases(Seen("s1", 4, YOU, leaving=YOU), Seen("s2", 4, YOU), Seen("s3", 4, THIRD), Seen("s4", 4))
    one.took(Seen("s4", 5, ME), 0.2, 0.3)
    assert one.asks(["s1", "s2", "s3", "s4"], 1) == []
    assert one.successor("s4") == THIRD


def test_a_leaver_takes_nothing_and_passes_on_what_it_is_given() -> None:
    """At once, to the one with the fewest."""
    one = leases(Seen("s1", 4, ME), Seen("s2", 4, YOU), Seen("s3", 4, YOU), Seen("s4", 4, THIRD), Seen("s5", 3))
    one.leave()
    assert one.takes(["s1", "s5"]) == []
    assert one.declined() == [Take("s1", 4, ME)]
    assert one.successor("s1") == THIRD


def test_what_could_not_be_given_counts_as_mine_again() -> None:
    """Or a replica would go on asking for more than its share."""
    one = leases(Seen("s1", 4), Seen("s2", 4), Seen("s3", 4, YOU), Seen("s4", 4, YOU))
    names = ["s1", "s2", "s3", "s4"]
    take_all(one, names, 0.2)
    assert one.successor("s1") == YOU
    assert len(one.asks(names, 0.5)) == 1
    one.keeps("s1")
    assert one.asks(names, 1.0) == []


def test_what_was_given_to_a_leaver_is_taken_by_others_at_once() -> None:
    """It takes nothing any more, and may be gone."""
    one = leases(Seen("s1", 4, YOU, given=True), Seen("s2", 4, YOU, leaving=YOU))
    assert one.takes(["s1", "s2"]) == [Take("s1", 4, YOU)]


def test_what_was_given_and_not_taken_is_free_after_four_looks() -> None:
    """Whoever was named may have died at that moment; what it has taken waits for a failover."""
    given, taken = Seen("s1", 4, YOU, given=True), Seen("s2", 4, YOU)
    one = leases(given, taken)
    look(one, given, taken, until=GIVEN_SECONDS)
    assert one.takes(["s1", "s2"]) == []
    look(one, given, taken, since=GIVEN_SECONDS + 0.5, until=GIVEN_SECONDS + 1)
    assert one.takes(["s1", "s2"]) == [Take("s1", 4, YOU)]


def test_a_leaver_passes_on_what_other_leavers_were_given() -> None:
    """The last of several that stop at once sees everything that they gave each other; there is nobody to give it to."""
    one = leases(Seen("s1", 4, YOU, given=True, leaving=THIRD), Seen("s2", 4, THIRD, given=True, leaving=YOU))
    one.leave()
    assert one.declined() == [Take("s1", 4, YOU), Take("s2", 4, THIRD)]
    assert (one.successor("s1"), one.successor("s2")) == (None, None)


def test_leases_that_are_released_together_go_to_several() -> None:
    """Each counts as given as soon as its successor is named."""
    one = leases(*(Seen(f"s{number}", 4) for number in range(4)), Seen("s8", 1, YOU), Seen("s9", 1, THIRD))
    take_all(one, [f"s{number}" for number in range(4)], 0.2)
    one.leave()
    assert sorted(str(one.successor(name)) for name in one.mine) == sorted([YOU, THIRD] * (len(one.mine) // 2))


def test_alone_a_lease_is_given_to_nobody() -> None:
    """Nor to an owner that is dead, nor to one that is not Headrace."""
    one = leases(Seen("s1", 4), Seen("s2", 4, KCL), with_kcl=True)
    one.took(Seen("s1", 5, ME), 0.2, 0.3)
    assert one.successor("s1") is None


def test_what_the_client_library_moves_away_is_handed_over() -> None:
    """Its version 3 names the next owner, and the present one as ``checkpointOwner``."""
    one = leases(Seen("s1", 4), with_kcl=True)
    one.took(Seen("s1", 5, ME), 0.2, 0.3)
    one.saw(Seen("s1", 5, KCL, checkpoint_owner=ME), 1, 1.1)
    assert one.mine == one.wanted() == {"s1"}
    assert one.successor("s1") == KCL


def test_an_ask_goes_on_while_its_asker_wants_it() -> None:
    """Its beat grows as a counter does, and it is taken back when the asker needs it no more."""
    one = leases(Seen("s1", 4, YOU), Seen("s2", 4, YOU))
    (asking,) = one.asks(["s1", "s2"], 0.2)
    name, other = asking.shard_id, "s1" if asking.shard_id == "s2" else "s2"
    one.saw(Seen(name, 4, YOU, asked=asking.ask), 0.2, 0.3)
    assert one.asks(["s1", "s2"], 0.5) == []
    (again,) = one.asks(["s1", "s2"], 4)
    assert (again.before, again.ask) == (Ask(ME, 0), Ask(ME, 1))
    one.saw(Seen(other, 5), 4.1, 4.2)
    one.took(Seen(other, 6, ME), 4.3, 4.4)
    (back,) = one.asks(["s1", "s2"], 4.5)
    assert (back.shard_id, back.before, back.ask) == (name, Ask(ME, 0), None)


def test_an_ask_whose_asker_died_is_forgotten() -> None:
    """Its beat has not moved for a failover."""
    names = [f"s{number}" for number in range(4)]
    one = leases(*(Seen(name, 4) for name in names))
    take_all(one, names, 0.2)
    for tenth in range(5, 120, 5):
        one.saw(Seen("s0", 5 + tenth, ME, asked=Ask(YOU, 0)), tenth / 10, tenth / 10 + 0.05)
    assert one.wanted() == frozenset()


def test_an_ask_that_is_not_answered_is_withdrawn_and_another_lease_is_asked_for() -> None:
    """After three failovers; with twice the patience the next time."""
    one = leases(Seen("s1", 4, YOU), Seen("s2", 4, YOU))
    (asking,) = one.asks(["s1", "s2"], 0.2)
    name = asking.shard_id
    one.saw(Seen(name, 4, YOU, asked=asking.ask), 0.2, 0.3)
    one.asks(["s1", "s2"], 0.5)
    (back,) = one.asks(["s1", "s2"], 31)
    assert (back.shard_id, back.ask) == (name, None)
    one.saw(Seen(name, 4, YOU), 31, 31.1)
    (other,) = one.asks(["s1", "s2"], 31.5)
    assert other.shard_id != name
