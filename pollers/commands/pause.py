"""``headrace pause``."""

from __future__ import annotations

from urllib.parse import quote

import click

from pollers.commands.remote import Remote, ask, remote_options


@click.command("pause")
@click.argument("mapping")
@remote_options
def command(mapping: str, url: str, token: str | None) -> None:
    """Stop polling for MAPPING of a running Headrace. What it holds is finished or handed back."""
    ask(lambda: Remote(url, token).post(f"/api/mappings/{quote(mapping, safe='')}/pause"), url)
    click.echo(f"{mapping}: paused")
