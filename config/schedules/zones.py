"""Time zones, and where a local time lies in them (docs/lambda 14.7). A decider, but for reading the zones' rules."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, available_timezones


class UnknownZone(ValueError):  # noqa: N818 - named for what it is about
    """There is no time zone of this name, or this machine does not know it."""


def find_zone(name: str) -> tzinfo:
    """The zone of an IANA name. Raises UnknownZone."""
    if name == "UTC":
        return UTC  # this one is known everywhere
    try:
        return ZoneInfo(name)
    except (OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise UnknownZone(name) from error
    except KeyError as error:
        raise UnknownZone(name) from error


def known_zones() -> set[str]:
    """The names of all zones that this machine knows; reads many files, so only for what is said of a wrong name."""
    return available_timezones()


def instant_of(local: datetime, zone: tzinfo) -> datetime | None:
    """When a local time is, in UTC: the first time where it comes twice, None where it is left out."""
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    # A time in a gap comes back as another one.
    return found if found.astimezone(zone).replace(tzinfo=None) == local else None
