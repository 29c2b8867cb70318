"""``headrace demo``: the whole thing on embedded emulators."""

from __future__ import annotations

import sys
import sysconfig
from functools import partial
from pathlib import Path

import anyio
import click

PIPE_WIDTH = 132
"""Columns where there is no terminal to ask."""


@click.command("demo")
@click.option(
    "--messages",
    type=click.IntRange(100, 100_000),
    default=2_000,
    show_default=True,
    help="Messages to the first queue.",
)
@click.option(
    "--http",
    "port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="PORT",
    help="Where the console is served meanwhile; any free port if not given.",
)
@click.option(
    "--keep", is_flag=True, help="Stay when everything is done, until interrupted, for a look at the console."
)
def command(messages: int, port: int, keep: bool) -> None:
    """Send some thousand events, a few of them poison, to sample functions.

    They come through queues, streams, asynchronous calls and a schedule. Shows a live view, and a console in the browser, ends by
    itself and proves that the books balance: exit 0 only if every event was handled or is in a queue of what failed, each poison
    one after exactly its allowed deliveries. Needs no AWS account, no Docker and no root.
    """
    from rich.console import Console

    from handlers.system import keep_memory_private
    from pollers.commands.run import backend_options
    from pollers.demo.main import run_demo
    from pollers.emulators import EmulatorUnavailable
    from pollers.errors import AddressTaken
    from pollers.telemetry.logging import configure_logging

    keep_memory_private()
    console = Console()
    # Lines between the frames of the live view would spoil it, and poison that is given up on is a warning.
    configure_logging("error" if console.is_terminal else "warning")
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    try:
        demo = partial(run_demo, console, examples_folder(), messages, port=port, keep=keep)
        sys.exit(anyio.run(demo, backend_options=backend_options()))
    except AddressTaken as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except EmulatorUnavailable as error:
        click.echo(f"The demo needs an emulator that cannot be had: {error}", err=True)
        sys.exit(1)


def examples_folder() -> Path:
    """The folder of the sample functions: beside the packages in a checkout, else in the data of the installed environment."""
    checkout = Path(__file__).parents[2] / "examples"
    return checkout if checkout.is_dir() else Path(sysconfig.get_path("data")) / "share" / "headrace" / "examples"
