"""``headrace resume``."""

from __future__ import annotations

from urllib.parse import quote

import click

from pollers.commands.remote import Remote, ask, remote_options


@click.command("resume")
@click.argument("mapping")
@remote_options
def command(mapping: str, url: str, token: str | None) -> None:
    """Poll again for MAPPING of a running Headrace; also cuts short the wait after a failure."""
    ask(lambda: Remote(url, token).post(f"/api/mappings/{quote(mapping, safe='')}/resume"), url)
    click.echo(f"{mapping}: resumed")
