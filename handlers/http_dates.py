"""Moments as HTTP writes them: ``Date``, ``Retry-After``."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def moment(date: str) -> float | None:
    """Seconds since the epoch; None: it is no date. One without a zone is UTC (RFC 9110, 5.6.7), wherever this machine is."""
    try:
        told = parsedate_to_datetime(date.strip())
        return (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
