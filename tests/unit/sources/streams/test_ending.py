"""When a shard has ended, over every order of replies and listings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.streams.ending import (
    CONFIRMED,
    CONTRADICTED,
    REPLIES_BETWEEN,
    TRIES_TO_FIND,
    UNANCHORED,
    Ending,
    Sight,
)


def said(
    ending: Ending, *, progressed: bool = False, children: bool = False, behind: bool = False, anchored: bool = True
) -> bool:
    """One reply without a next iterator."""
    return ending.claimed(progressed=progressed, children=children, behind=behind, anchored=anchored)


def test_named_children_are_enough() -> None:
    """Nothing that is missing in a reply names a shard's children."""
    assert said(Ending(), children=True, progressed=True)


def test_named_children_are_not_enough_beside_more_to_come() -> None:
    """The reply contradicts itself; in the end it is believed all the same."""
    ending = Ending()
    assert [said(ending, children=True, behind=True) for _ in range(CONTRADICTED)] == [False] * 7 + [True]


def test_an_end_is_confirmed_when_the_last_record_came_again_and_nothing_after_it() -> None:
    """The first reply may have brought records."""
    ending = Ending()
    confirmed = []
    for told in range(1, CONFIRMED + 1):
        ending.last_came_again()
        said(ending, progressed=told == 1)
        confirmed.append(ending.confirmed)
    assert confirmed == [False, True]


def test_an_end_without_the_last_record_needs_many_replies() -> None:
    """They may have lost their records as well; but a service that never sends them must not hold up the children for ever."""
    ending = Ending()
    for told in range(1, CONTRADICTED + 1):
        said(ending)
        assert ending.confirmed == (told == CONTRADICTED)
        assert ending.doubtful == (CONFIRMED < told < CONTRADICTED)


def test_the_end_of_a_shard_without_records_needs_a_few_replies_and_no_doubt() -> None:
    """No record is known that could come again."""
    ending = Ending()
    for told in range(1, UNANCHORED + 1):
        said(ending, anchored=False)
        assert ending.confirmed == (told == UNANCHORED)
        assert not ending.doubtful


def test_records_begin_the_count_anew() -> None:
    """Whatever came before them was no end."""
    ending = Ending()
    said(ending)
    said(ending, progressed=True)
    assert ending.claims == 1
    ending.denied(progressed=True)
    assert ending.claims == 0


def test_a_few_quiet_replies_may_come_between() -> None:
    """Some services say once more that a closed shard goes on; many such replies make what was said before worthless."""
    ending = Ending()
    said(ending)
    ending.denied(progressed=False)
    assert ending.claims == 1
    for _ in range(REPLIES_BETWEEN - 1):
        ending.denied(progressed=False)
    assert ending.claims == 1
    ending.denied(progressed=False)
    assert ending.claims == 0


def test_the_last_record_must_come_again_with_each_claim() -> None:
    """That it came with the one before says nothing of what this reply has lost."""
    ending = Ending()
    ending.last_came_again()
    said(ending)
    said(ending)
    assert (ending.claims, ending.confirmed) == (CONFIRMED, False)


def test_a_shard_that_is_seen_once_is_missed_from_the_start() -> None:
    """By a listing, or by a reply with records."""
    ending = Ending()
    for _ in range(TRIES_TO_FIND - 1):
        ending.borne_out(Sight.MISSING, disabled=False)
    ending.borne_out(Sight.OPEN, disabled=False)
    for _ in range(TRIES_TO_FIND - 1):
        assert not ending.borne_out(Sight.MISSING, disabled=False)
    ending.denied(progressed=True)
    assert not ending.borne_out(Sight.MISSING, disabled=False)


def test_what_the_listing_must_say() -> None:
    """Closed, or missing for long enough, or a stream that is disabled."""
    assert Ending().borne_out(Sight.CLOSED, disabled=False)
    assert Ending().borne_out(Sight.OPEN, disabled=True)
    assert not Ending().borne_out(Sight.OPEN, disabled=False)
    ending = Ending()
    assert [ending.borne_out(Sight.MISSING, disabled=False) for _ in range(TRIES_TO_FIND)] == [False] * 11 + [True]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from((Sight.OPEN, Sight.MISSING)))))
def test_an_open_shard_never_ends_by_replies_without_children(
    replies: list[tuple[bool, bool, bool, Sight]],
) -> None:
    """However many, in whatever order, as long as the listing shows the shard now and then."""
    ending = Ending()
    for number, (progressed, again, behind, sight) in enumerate(replies):
        if again:
            ending.last_came_again()
        assert not said(ending, progressed=progressed, behind=behind)
        if ending.confirmed:
            shown = Sight.OPEN if number % TRIES_TO_FIND == 0 else sight
            assert not ending.borne_out(shown, disabled=False)
