"""``headrace reload``."""

from __future__ import annotations

import sys
from typing import Any

import click

from pollers.commands.remote import Refused, Remote, ask, remote_options


@click.command("reload")
@remote_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for in-flight batches. The reload goes on afterwards.",
)
def command(url: str, token: str | None, timeout: float) -> None:
    """Apply the configuration that a running Headrace was started from, as it is on disk now.

    Only added, removed and changed mappings stop or start, and what they have in flight is finished first. Functions and schedules
    that were added, removed or changed are named too. A faulty configuration is refused whole (exit 2) and the old one runs on.
    """
    answer = ask(lambda: _reload(Remote(url, token, timeout_seconds=timeout)), url)
    if answer["faults"]:
        for fault in answer["faults"]:
            click.echo(fault, err=True)
        sys.exit(2)
    for what in ("added", "removed", "changed"):
        for name in answer[what]:
            click.echo(f"{what}: {name}")
    others = ("functions", "schedules")
    for what in others:
        for name in answer.get(what, []):  # a Headrace of before does not say it
            click.echo(f"{what.removesuffix('s')}: {name}")
    if not any(answer.get(what) for what in ("added", "removed", "changed", *others)):
        click.echo("nothing changed")


def _reload(remote: Remote) -> dict[str, Any]:
    """The answer; where the configuration is refused, the answer with its faults."""
    try:
        return remote.post("/api/reload")
    except Refused as refused:
        if "faults" in refused.answer:
            return refused.answer
        raise
