"""``headrace top``: the live view of a running Headrace."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from pollers.commands.remote import Refused, Remote, ask, on_terminal, remote_options

if TYPE_CHECKING:
    from rich.console import RenderableType


@click.command("top")
@remote_options
@click.option(
    "--every", type=click.FloatRange(min=0.2), default=1.0, show_default=True, metavar="SECONDS", help="How often."
)
def command(url: str, token: str | None, every: float) -> None:
    """Watch every mapping of a running Headrace until interrupted."""
    remote = Remote(url, token)
    ask(lambda: remote.get("/api/status"), url)
    try:
        _watch(remote, every)
    except KeyboardInterrupt:
        sys.exit(0)


def _watch(remote: Remote, every: float) -> None:
    """Show the view: on a terminal in place, in a pipe one view after the other."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not on_terminal():
        while True:
            console.print(_view(remote))
            time.sleep(every)
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(_view(remote), refresh=True)
            time.sleep(every)


def _view(remote: Remote) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from pollers.status.async_table import events
    from pollers.status.table import explained, rows_of

    try:
        snapshot = remote.get("/api/status")
    except (Refused, OSError) as lost:
        return Text(f"{remote.url} does not answer: {lost}", style="bold red")
    head = Text(f"{remote.url}  {'live' if snapshot['live'] else 'NOT LIVE'}", style="bold")
    mappings = [explained(rows_of(snapshot))] if snapshot["mappings"] else []
    return Group(head, *mappings, *events(snapshot))
