"""How functions are called, in a terminal: a line for each of which anything is said, and who said it."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ("function", "reserved", "retries", "age", "reported to", "URL")


def told(functions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ``functions`` of a snapshot whose settings are not simply the defaults."""
    return [
        function
        for function in functions
        if (settings := function.get("settings"))
        and (
            settings["event_invoke_config_by"]
            or settings["function_url"]
            or settings["dead_letters"]
            or settings["reserved_concurrency"] is not None
        )
    ]


def settings_table(functions: Iterable[dict[str, Any]]) -> Table:
    """Those that :func:`told` gives. What the API made says so, the rest is the configuration's; empty columns are left out."""
    rows = [_cells(function) for function in functions]
    used = [any(row[place] for row in rows) for place in range(len(COLUMNS))]
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    view.add_column("function", style="bold", overflow="ellipsis", min_width=7)
    for name in list(compress(COLUMNS, used))[1:]:
        view.add_column(name, no_wrap=name != "reported to")
    for row in rows:
        view.add_row(*compress(row, used))
    return view


def _cells(function: dict[str, Any]) -> tuple[str, ...]:
    settings = function["settings"]
    by, reserved = settings["event_invoke_config_by"], settings["reserved_concurrency"]
    return (
        function["name"],
        "" if reserved is None else str(reserved),
        _said(str(settings["maximum_retry_attempts"]), by) if by else "",
        _said(f"{settings['maximum_event_age_in_seconds']} s", by) if by else "",
        _targets(settings),
        _url(settings["function_url"]),
    )


def _said(text: str, by: str | None) -> str:
    return f"{text} (API)" if by == "api" else text


def _targets(settings: dict[str, Any]) -> str:
    named = {"success": "on_success", "failure": "on_failure", "dead letters": "dead_letters"}
    return ", ".join(f"{name}: {_short(settings[key])}" for name, key in named.items() if settings[key])


def _short(arn: str) -> str:
    """The last part of an ARN, which tells its target."""
    return arn.rpartition(":")[2]


def _url(url: dict[str, Any] | None) -> str:
    if url is None:
        return ""
    return _said(f"{url['auth_type']}, {url['invoke_mode'].lower().replace('_', ' ')}", url["by"])
