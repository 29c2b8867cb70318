"""The command line: ``headrace COMMAND``. Each command is one file in ``pollers/commands``, imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import NoReturn

import click

from pollers.descriptors import occupy_closed_descriptors

COMMANDS = {
    "run": "Run every mapping until SIGTERM or SIGINT.",
    "check": "Validate a configuration; with --online also ask AWS.",
    "demo": "The whole thing on an embedded AWS emulator, with a live view.",
    "invoke": "Run one function once.",
    "schema": "Print the JSON Schema of the configuration.",
    "import": "Make a configuration from a template, a state or an account.",
    "checkpoints": "Show or reset the checkpoints of stream mappings.",
    "leases": "Show which replica reads which shard.",
    "filter": "Match events against an event pattern.",
    "status": "Show what a running Headrace is doing.",
    "top": "Watch a running Headrace live.",
    "pause": "Stop polling for one mapping of a running Headrace.",
    "resume": "Poll again for a paused mapping.",
    "drain": "Stop polling for every mapping and finish what is held.",
    "reload": "Apply a changed configuration to a running Headrace.",
    "explain": "Tell what happened to one event, and why.",
}


_FILES = {"import": "import_"}
"""Files of commands whose names are words of Python."""


class Commands(click.Group):
    """Finds a command's module only when it is used, so that ``headrace filter`` does not pay for the AWS SDK."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        file = _FILES.get(cmd_name, cmd_name)
        command: click.Command = importlib.import_module(f"pollers.commands.{file}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="headrace", prog_name="headrace")
@click.pass_context
def main(context: click.Context) -> None:
    """Run AWS Lambda's event source mappings outside Lambda."""
    occupy_closed_descriptors()
    if context.invoked_subcommand is None:
        _list_commands(context)


def _list_commands(context: click.Context) -> NoReturn:
    """For ``headrace`` alone: every command, and what to do first where there is no configuration yet."""
    from pollers.commands.first_steps import DEFAULT_CONFIG, first_steps, is_first_step

    click.echo(context.get_help(), err=True)
    if is_first_step(DEFAULT_CONFIG):
        click.echo(f"\n{first_steps()}", err=True, nl=False)
    context.exit(2)
