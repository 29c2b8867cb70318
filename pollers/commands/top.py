"""``headrace top``: the live view of a running Headrace."""

from __future__ import annotations

import sys
import time

import click

from pollers.commands.remote import Refused, Remote, ask, on_terminal, remote_options


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
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from pollers.telemetry.view import explained, rows_of

    console = Console()
    with Live(console=console, auto_refresh=False, screen=on_terminal()) as live:
        while True:
            try:
                snapshot = remote.get("/api/status")
                head = Text(f"{remote.url}  {'live' if snapshot['live'] else 'NOT LIVE'}", style="bold")
                live.update(Group(head, explained(rows_of(snapshot))), refresh=True)
            except (Refused, OSError) as lost:
                live.update(Text(f"{remote.url} does not answer: {lost}", style="bold red"), refresh=True)
            time.sleep(every)
