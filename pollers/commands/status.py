"""``headrace status``: what a running Headrace is doing."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from pollers.commands.remote import Remote, ask, remote_options

PIPED_COLUMNS = 200
"""The width for a file or a pipe, which have none: lines are not cut for them."""


@click.command("status")
@remote_options
@click.option("--json", "as_json", is_flag=True, help="The whole snapshot as JSON.")
def command(url: str, token: str | None, as_json: bool) -> None:
    """Show what every mapping of a running Headrace is doing, and why, functions' asynchronous events and the runs of schedules.

    Exits with 1 when it does not answer, or is not live.
    """
    snapshot = ask(lambda: Remote(url, token).get("/api/status"), url)
    if as_json:
        click.echo(json.dumps(snapshot, indent=2))
    else:
        show(snapshot)
    sys.exit(0 if snapshot["live"] else 1)


def show(snapshot: dict[str, Any]) -> None:
    """Print a snapshot for people."""
    from rich.console import Console

    from pollers.status.async_table import events
    from pollers.status.settings_table import settings_table, told
    from pollers.status.table import explained, rows_of, waiting_lines

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_COLUMNS)
    health = "live" if snapshot["live"] else "NOT LIVE"
    console.print(f"[bold]{health}[/bold], {'ready' if snapshot['ready'] else 'not ready'}")
    if snapshot["mappings"]:
        console.print(explained(rows_of(snapshot)))
    for line in waiting_lines(snapshot):
        console.print(line)
    for part in events(snapshot):
        console.print(part)
    if functions := told(snapshot["functions"]):
        console.print(settings_table(functions))
    if snapshot.get("schedules"):
        from pollers.status.schedules_table import schedules_table

        console.print(schedules_table(snapshot["schedules"]))
    for problem in snapshot["problems"]:
        console.print(f"[red]{problem['mapping'] or 'runtime'}: {problem['reason']}[/red]")
