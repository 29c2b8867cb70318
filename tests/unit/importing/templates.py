"""Importing a text, for tests: what comes out, and whether Headrace takes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config import load
from pollers.importing import Request, Source, write
from pollers.importing.forms import form_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from config.models import Config

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCOUNT_ID": "123456789012",
    "F_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:f",
}
_QUEUE = "arn:aws:sqs:eu-west-1:123456789012:{name}"
_SHAPES = {
    "TABLE_STREAM_ARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/{name}/stream/2026-01-01T00:00:00.000",
    "STREAM_ARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/{name}",
    "CONSUMER_ARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/{name}/consumer/c:1700000000",
    "FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:{name}",
    "TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:{name}",
    "ARN": _QUEUE,
}


@dataclass(frozen=True)
class Outcome:
    """What came out of an import."""

    text: str
    notes: list[str]
    variables: tuple[str, ...]
    folder: Path

    def loaded(self, **environ: str) -> Config:
        """The configuration that Headrace makes of it, once every variable is set."""
        given = {name: ENVIRONMENT.get(name) or _value(name, self.folder) for name in self.variables} | environ
        file = self.folder / "headrace.yaml"
        file.write_text(self.text, encoding="utf-8")
        return load(file, environ=given).config


def _value(name: str, folder: Path) -> str:
    if name.endswith("_CODE"):
        program = folder / "program"
        return str(program if program.is_dir() else folder)
    shape = next((shape for end, shape in _SHAPES.items() if name.endswith(end)), "7")
    return shape.format(name=re.sub("[^a-z]", "", name.lower()))


def imported(folder: Path, text: str, name: str = "template.yaml", **asked: Any) -> Outcome:  # noqa: ANN401 - a request's
    """Import a file of this text in a folder."""
    (folder / name).write_text(text, encoding="utf-8")
    return imported_from(folder / name, folder, **asked)


def imported_from(path: Path, folder: Path, **asked: Any) -> Outcome:  # noqa: ANN401 - a request's
    """Import what is at a path."""
    source = Source(path.name, path)
    written = write(form_of(source).read(Request(source, **asked)), folder)
    return Outcome(written.text, [str(note) for note in written.notes], written.variables, folder)


def options(outcome: Outcome, section: str, name: str) -> Mapping[str, Any]:
    """The options of one member as they are written."""
    import yaml

    return yaml.safe_load(outcome.text)[section][name]  # type: ignore[no-any-return]
