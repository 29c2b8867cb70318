"""The event of ``headrace invoke``: from a file, a sample, or an empty object."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click

from config.text import Unparsable, decoded
from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.commands.configuration import EXIT_UNUSABLE
from pollers.samples import SAMPLES, ChangeRefused, Circumstances, UnknownSample, edited, sample_named

if TYPE_CHECKING:
    from config.models import Config
    from pollers.samples import Document

LIST = "list"
"""In place of a sample's name: which there are."""


@dataclass(frozen=True, slots=True)
class ChosenEvent:
    """What the user has asked for. What cannot be had is said, and the command exits with 2."""

    file: BinaryIO | None
    sample: str | None
    changes: tuple[str, ...] = ()

    def refuse_contradictions(self, *, function: str | None, only_print: bool) -> None:
        """Options that say nothing without one another, or contradict each other."""
        if self.sample is None and function is None:
            raise click.UsageError(
                "Missing argument 'FUNCTION'. Only --sample SERVICE, which prints an event, can do without."
            )
        if self.sample is not None and self.file is not None:
            raise click.UsageError("--event and --sample both give the event: one of them is enough.")
        if self.sample is None and (self.changes or only_print):
            option = "--set changes" if self.changes else "--print prints"
            raise click.UsageError(f"{option} a sample: add --sample SERVICE.")

    def event(self, config: Config) -> bytes:
        """The event that the function is to get."""
        if self.sample is not None:
            return json.dumps(self.document(config), separators=(",", ":"), ensure_ascii=False).encode()
        return b"{}" if self.file is None else _read(self.file)

    def text(self, config: Config | None) -> str:
        """The sample for a reader, or for a file that is sent with ``--event``; or the list of all samples."""
        if self.sample == LIST:
            return listing()
        return json.dumps(self.document(config), indent=2, ensure_ascii=False)

    def document(self, config: Config | None) -> Document:
        """The sample as of now, with its changes; of the configuration's region and account, if there is a configuration."""
        try:
            return edited(sample_named(self.sample or "").make(_circumstances(config)), self.changes)
        except (UnknownSample, ChangeRefused) as error:
            unusable(str(error))


def _circumstances(config: Config | None) -> Circumstances:
    at = Circumstances(datetime.now(UTC), random.SystemRandom())
    if config is None:
        return at
    from pollers.schedules.events import home_of

    home = home_of(config)
    return Circumstances(at.now, at.random, home.region, home.account)


def listing() -> str:
    """Every sample, a line each, with what has happened."""
    width = max(map(len, SAMPLES))
    return "\n".join(f"{name:{width}}  {sample.subject}" for name, sample in SAMPLES.items())


def _read(file: BinaryIO) -> bytes:
    """The file as bytes of UTF-8, checked to be JSON within Lambda's limit."""
    name = getattr(file, "name", "<stdin>")
    data = file.read(PAYLOAD_LIMIT_BYTES + 1)
    if len(data) > PAYLOAD_LIMIT_BYTES:
        unusable(f"{name}: the event is larger than {PAYLOAD_LIMIT_BYTES} bytes, the most that Lambda takes")
    try:
        text = decoded(data, name)
        json.loads(text)
    except json.JSONDecodeError as error:
        unusable(f"{name}:{error.lineno}: the event is not JSON: {error.msg} (column {error.colno})")
    except Unparsable as error:
        unusable(f"{name}:{error.place.line}: the event is not JSON: {error}")
    except (RecursionError, ValueError) as error:
        unusable(f"{name}: the event is not JSON: {error}")
    return text.encode()


def unusable(problem: str) -> NoReturn:
    """Say what is wrong with what the user has given, and exit with 2."""
    click.echo(problem, err=True)
    sys.exit(EXIT_UNUSABLE)
