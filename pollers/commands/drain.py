"""``headrace drain``."""

from __future__ import annotations

import sys
import time

import click

from pollers.commands.remote import Remote, ask, remote_options

LOOK_SECONDS = 0.25


@click.command("drain")
@remote_options
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=300.0, show_default=True, help="Seconds to wait; 0: do not."
)
def command(url: str, token: str | None, timeout: float) -> None:
    """Stop polling for every mapping and wait until nothing is held any more.

    The process stays up; ``headrace resume`` or a restart polls again. Exits with 1 when events are still held after the wait.
    """
    remote = Remote(url, token)
    ask(lambda: remote.post("/api/drain"), url)
    deadline = time.monotonic() + timeout
    while True:
        mappings = ask(lambda: remote.get("/api/status"), url)["mappings"]
        busy = {
            m["name"]: m["ledger"]["in_flight"] for m in mappings if m["state"] not in ("paused", "disabled", "stopped")
        }
        if not busy:
            click.echo("drained: no mapping polls, nothing is held")
            return
        if time.monotonic() >= deadline:
            click.echo("still draining: " + ", ".join(f"{name} holds {held}" for name, held in busy.items()), err=True)
            sys.exit(0 if timeout == 0 else 1)
        time.sleep(LOOK_SECONDS)
