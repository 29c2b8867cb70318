"""``headrace explain``: what happened to one event."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from urllib.parse import quote

import click

from pollers.commands.remote import Remote, ask, remote_options


@click.command("explain")
@click.argument("identifier", metavar="MESSAGE_ID|SEQUENCE_NUMBER|REQUEST_ID")
@remote_options
@click.option("--json", "as_json", is_flag=True, help="The timeline as JSON.")
def command(identifier: str, url: str, token: str | None, as_json: bool) -> None:
    """Print the timeline of an event of a running Headrace: why twice, why late.

    Exits with 1 when nothing is known of it.
    """
    timeline = ask(lambda: Remote(url, token).get(f"/api/explain/{quote(identifier, safe='')}"), url)
    if as_json:
        click.echo(json.dumps(timeline, indent=2))
    else:
        _print(timeline)
    sys.exit(0 if timeline["moments"] else 1)


def _print(timeline: dict[str, object]) -> None:
    moments, since = timeline["moments"], timeline["kept_since"]
    if not isinstance(moments, list) or not moments:
        kept = f"since {_time(since)}" if isinstance(since, float | int) else "yet"
        click.echo(f"nothing is known of {timeline['id']}; nothing is kept {kept} that names it", err=True)
        return
    first = moments[0]["at"]
    for moment in moments:
        click.echo(
            f"{_time(moment['at'])}  +{moment['at'] - first:9.3f} s  {moment['mapping']}  {moment['what']}: {moment['detail']}"
        )
    conclusions = timeline["conclusions"]
    if isinstance(conclusions, list):
        for conclusion in conclusions:
            click.echo(f"=> {conclusion}")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
