"""``headrace check``: whether a configuration can be used, without starting anything."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pollers.commands.configuration import load_runnable_or_exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from config import Loaded
    from config.models import Mapping as MappingModel
    from config.models import Schedule


@click.command("check")
@click.argument("config", type=click.Path(path_type=Path), default=Path("headrace.yaml"))
@click.option("--online", is_flag=True, help="Also ask AWS, by calls that change nothing.")
def command(config: Path, online: bool) -> None:
    """Validate CONFIG (a file or a folder of files; ./headrace.yaml if not given) and start nothing.

    Prints a line for each mapping and the next runs of each schedule, notes among them, and exits with 0; or prints each
    fault on a line of its own to stderr, file:line: path: what was found and what is expected, and exits with 2.

    With --online it also asks AWS whether each queue, stream, consumer and destination is there, is permitted and suits the
    function, says how to mend what is not, and exits with 1 if a mapping could not run.
    """
    loaded = load_runnable_or_exit(config)
    for line in report(loaded):
        click.echo(line)
    if online:
        from pollers.commands.check_online import check_online

        sys.exit(check_online(loaded))


def report(loaded: Loaded) -> Iterator[str]:
    """What a configuration says, in lines: its notes, each mapping, each schedule, and their numbers."""
    for note in loaded.notes:
        yield f"note: {note}"
    mappings = loaded.config.event_source_mappings.values()
    width = max((len(mapping.name) for mapping in mappings), default=0)
    for mapping in mappings:
        yield f"{mapping.name:{width}}  {summary(mapping)}"
    schedules = loaded.config.schedules
    yield from _schedules(schedules)
    counts = [_count(len(mappings), "mapping"), _count(len(loaded.config.functions), "function")]
    yield ", ".join([*counts, *([_count(len(schedules), "schedule")] if schedules else []), "no faults"])


def _schedules(schedules: Mapping[str, Schedule]) -> Iterator[str]:
    if not schedules:
        return
    from pollers.schedules.upcoming import described

    now = datetime.now(UTC)
    for name, schedule in schedules.items():
        first, *runs = described(schedule, now)
        yield f"{name}  {first}"
        yield from runs


def summary(mapping: MappingModel) -> str:
    """A mapping in one line: from where to where, and the settings that are not Lambda's defaults."""
    line = f"{mapping.event_source_arn} -> {mapping.function_name}: batches of {mapping.batch_size}"
    return line + "".join(f", {part}" for part in _particulars(mapping))


def _particulars(mapping: MappingModel) -> Iterator[str]:
    if mapping.maximum_batching_window_in_seconds:
        yield f"gathered for up to {mapping.maximum_batching_window_in_seconds} s"
    if mapping.reports_batch_item_failures:
        yield "partial batch responses"
    if mapping.filter_criteria.filters:
        yield _count(len(mapping.filter_criteria.filters), "filter")
    yield from mapping.particulars()
    if not mapping.enabled:
        yield "disabled"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
