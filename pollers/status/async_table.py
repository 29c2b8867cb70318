"""Asynchronous events in a terminal: one line for each function that has had any. For ``headrace status`` and ``headrace top``."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from pollers.telemetry.durations import age

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = ("function", "queued", "oldest", "running", "done", "failed", "dropped", "refused", "reports")
OPTIONAL = frozenset({"oldest", "running", "failed", "dropped", "refused", "reports"})
"""Left out where nothing is in them."""


def events(snapshot: dict[str, Any]) -> list[RenderableType]:
    """What a status document says of asynchronous events; empty where there have been none."""
    queue = snapshot.get("asynchronous")
    if queue is None:
        return []
    functions = [one for one in snapshot["functions"] if one["asynchronous"] is not None]
    shown: list[RenderableType] = [_table(functions)] if functions else []
    shown += [
        Text.assemble((one["name"], "bold"), f": {_failed(one['asynchronous'], snapshot['now'])}")
        for one in functions
        if one["asynchronous"]["last_error"] is not None
    ]
    shown += [Text(f"{notice['mapping']}: {notice['reason']}", style="yellow") for notice in queue["notices"]]
    if not queue["balanced"]:
        shown.append(Text("the books of the asynchronous queue do not balance", style="bold red"))
    return shown


def _table(functions: list[dict[str, Any]]) -> Table:
    """Columns with nothing in them are left out; on a narrow terminal, names are cut first."""
    view = Table(title="asynchronous events", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    view.title_justify = "left"
    cells = [_cells(one["name"], one["asynchronous"]) for one in functions]
    used = [name not in OPTIONAL or any(row[place] for row in cells) for place, name in enumerate(COLUMNS)]
    view.add_column(COLUMNS[0], style="bold", overflow="ellipsis", min_width=8)
    for name in list(compress(COLUMNS, used))[1:]:
        view.add_column(name, justify="right", no_wrap=True)
    for row in cells:
        view.add_row(*compress(row, used))
    return view


def _cells(name: str, events: dict[str, Any]) -> list[Text | str]:
    oldest = events["oldest_seconds"]
    return [
        name,
        f"{events['queued']:,}",
        "" if oldest is None else age(oldest),
        _some(events["running"]),
        f"{events['succeeded']:,}",
        _bad(events["failed"]),
        _bad(events["dropped"]),
        _bad(events["refused"]),
        _some(events["reporting"]),
    ]


def _some(count: int) -> str:
    return f"{count:,}" if count else ""


def _bad(count: int) -> Text | str:
    return Text(f"{count:,}", style="red") if count else ""


def _failed(events: dict[str, Any], now: float) -> str:
    return f"an attempt failed {age(max(0.0, now - events['last_error_at']))} ago: {events['last_error']}"
