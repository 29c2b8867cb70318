"""Schedules in a terminal: a line for each, with its next and its last run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE_STYLES = {"enabled": "green", "disabled": "dim", "over": "dim", "elsewhere": "cyan", "waiting": "yellow"}
OUTCOME_STYLES = {"accepted": "", "missed": "yellow", "failed": "bold red"}


def schedules_table(schedules: Sequence[dict[str, Any]]) -> Table:
    """The ``schedules`` of a snapshot. Times are in UTC; the outcome is that of the hand-over to the function's queue."""
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    view.add_column("schedule", style="bold", overflow="ellipsis", min_width=7)
    for name in ("state", "next run", "last run", "outcome", "problem"):
        view.add_column(name, no_wrap=name != "problem")
    for one in schedules:
        outcome = one["last_outcome"] or ""
        view.add_row(
            one["name"],
            Text(one["state"], style=STATE_STYLES.get(one["state"], "")),
            _time(one["next_due"]),
            _time(one["last_due"]),
            Text(outcome, style=OUTCOME_STYLES.get(outcome, "")),
            Text(one["problem"] or "", style="red"),
        )
    return view


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
