"""Cron expressions against another evaluator of the same dialect, and against a walk over every minute."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from aws_croniter import AwsCroniter

from config.schedules import DueTimes, read_expression
from config.schedules.cron import read_cron
from tests.unit.config.schedules.random_cron import random_cron

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from config.schedules.cron import Cron

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
]
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def times(cron: Cron, zone: tzinfo = UTC) -> DueTimes:
    """When such a schedule is due."""
    return DueTimes(cron, zone, FIRST)


def following(due: DueTimes, moment: datetime, number: int) -> list[datetime | None]:
    """The next due times after a moment; None when there are no more."""
    found: list[datetime | None] = []
    at: datetime | None = moment
    for _ in range(number):
        at = due.after(at) if at is not None else None
        found.append(at)
    return found


@pytest.mark.parametrize("seed", range(10))
def test_the_next_times_are_those_of_another_evaluator(seed: int) -> None:
    """200 expressions a seed, without zones. The other gives up after eleven steps: where it has no answer, nothing is compared."""
    chance = random.Random(seed)
    for _ in range(200):
        text = random_cron(chance)
        moment = FIRST + timedelta(minutes=chance.randrange(5 * 525_600), seconds=chance.randrange(60))
        theirs = AwsCroniter(text).get_next(moment, 3)

        mine = following(times(read_cron(text)), moment, 3)

        if None not in theirs:
            assert mine == theirs, text


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("0 0 ? 2 1#5 *", datetime(2032, 2, 29, tzinfo=UTC)),
        ("0 12 ? * L *", datetime(2026, 1, 3, 12, 0, tzinfo=UTC)),
    ],
)
def test_known_differences_from_the_other_evaluator(text: str, ours: datetime) -> None:
    """It gives up where much lies between two times, and reads L as a day of the week that there is not (docs/lambda 14.9)."""
    assert AwsCroniter(text).get_next(FIRST, 1) == [None]
    assert times(read_cron(text)).after(FIRST) == ours


@pytest.mark.parametrize("zone", ZONES)
def test_due_times_in_a_zone_are_those_of_a_walk_over_every_minute(zone: str) -> None:
    """Over weeks in which clocks are set: what is left out is skipped, what comes twice is due the first time."""
    chance = random.Random(zone)
    for begin in changes(ZoneInfo(zone)):
        text = f"{chance.choice(['*/7', '0,30', '15', '59'])} {chance.choice(['*', '0-3', '1,2,3,23', '*/2'])} * * ? *"
        due = times(read_cron(text), ZoneInfo(zone))
        end = begin + timedelta(days=2)

        walked = list(walk(text, ZoneInfo(zone), begin, end))

        found: list[datetime] = []
        at = due.after(begin)
        while at is not None and at <= end:
            found.append(at)
            at = due.after(at)
        assert found == walked, text
        backwards: list[datetime] = []
        at = due.until(end)
        while at is not None and at > begin:
            backwards.append(at)
            at = due.until(at - timedelta(seconds=1))
        assert backwards[::-1] == walked, text


def test_looking_back_agrees_with_looking_ahead() -> None:
    """The last time until a moment is the one after which nothing comes before the moment."""
    chance = random.Random(1)
    for _ in range(300):
        due = times(read_cron(random_cron(chance)), ZoneInfo(chance.choice(ZONES)))
        moment = FIRST + timedelta(minutes=chance.randrange(5 * 525_600))

        last = due.until(moment)

        if last is not None:
            assert last <= moment
            upcoming = due.after(last)
            assert upcoming is None or upcoming > moment
            assert due.until(last) == last
            assert due.after(last - timedelta(seconds=1)) == last


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """A day before each change of the zone's offset in some years, and before a day that one zone left out."""
    day = datetime(2024, 1, 1, tzinfo=UTC)
    while day < datetime(2026, 1, 1, tzinfo=UTC):
        if day.astimezone(zone).utcoffset() != (day + timedelta(days=1)).astimezone(zone).utcoffset():
            yield day - timedelta(hours=12)
        day += timedelta(days=1)
    if zone.key == "Pacific/Apia":
        yield datetime(2011, 12, 29, 12, tzinfo=UTC)
    yield datetime(2026, 6, 1, tzinfo=UTC)


def walk(text: str, zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """What clocks in the zone show, minute by minute: the first time that they show a time that is meant."""
    minutes, hours = (field(part, size) for part, size in zip(text.split()[:2], (60, 24), strict=True))
    shown = set()
    # From a day before: what clocks show for the second time, they may have shown before the beginning.
    at = begin - timedelta(days=1)
    while at <= end:
        local = at.astimezone(zone).replace(tzinfo=None)
        if local not in shown and local.minute in minutes and local.hour in hours and at > begin:
            yield at
        shown.add(local)
        at += timedelta(minutes=1)


def field(text: str, size: int) -> set[int]:
    """The values of a field, for the few forms that the walk has."""
    if text == "*":
        return set(range(size))
    if text.startswith("*/"):
        return set(range(0, size, int(text[2:])))
    if "-" in text:
        low, high = map(int, text.split("-"))
        return set(range(low, high + 1))
    return {int(part) for part in text.split(",")}


def test_every_expression_of_the_walk_is_read() -> None:
    """The walk and the evaluator speak of the same thing."""
    assert read_expression("cron(*/7 0-3 * * ? *)") == read_cron("*/7 0-3 * * ? *")
