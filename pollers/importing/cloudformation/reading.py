"""A template as a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.text.nodes import Unparsable
from config.text.places import Place
from pollers.importing.form import SourceForm

if TYPE_CHECKING:
    from pollers.importing.form import Request, Source
    from pollers.importing.model import Imported


def _recognises(source: Source) -> bool:
    return "Resources" in source.keys


def _read(request: Request) -> Imported:
    raise Unparsable(Place(request.source.text, 1), "found a template, which is not read yet")


TEMPLATE = SourceForm(
    called="a CloudFormation or SAM template",
    looks_like="YAML or JSON with Resources",
    recognises=_recognises,
    read=_read,
)
