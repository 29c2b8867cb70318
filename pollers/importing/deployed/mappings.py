"""Event source mappings that are deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.sources import pasted, registry
from pollers.importing.deployed.document import plain
from pollers.importing.deployed.settled import settled
from pollers.importing.fitting import fit, kind_for, settings_for
from pollers.importing.model import Member
from pollers.importing.values import NameOf, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.importing.deployed.document import Document
    from pollers.importing.deployed.functions import Functions
    from pollers.importing.model import Imported
    from pollers.importing.values import Value

_SILENT = frozenset(plain(key) for key in pasted.READ_ONLY | pasted.WITHOUT_EFFECT) | {"uuid", "id"}
_TOLD = frozenset({"batch_size", "starting_position"})
"""Settings that are written although they are Lambda's defaults."""
_DISABLED = ("Disabled", "Disabling")
_AGE = "maximum_record_age_in_seconds"
_RETRIES = "maximum_retry_attempts"


def add_mapping(imported: Imported, functions: Functions, document: Document, service: str | None) -> None:
    """Add a mapping; or say why it is left out."""
    source = document.get("event_source_arn")
    why = _unread(source)
    if why:
        imported.note(document.place, document.name, f"left out the mapping: {why}")
        return
    target = functions.find(document.get("function_name") or document.get("function_arn"), document.place)
    if target is None:
        imported.note(document.place, document.name, "left out the mapping: its function is not known")
        return
    service = source.split(":")[2] if isinstance(source, str) else service or _guessed(document)
    options = settings_for(service)
    found = fit(document.given(), options)
    _note_left(imported, document, found.left)
    _without_silence(imported, document, found.options, service)
    kept = settled(found.options, options, _TOLD)
    kept["function_name"] = NameOf(target)
    if document.text("state") in _DISABLED or functions.is_shut(target):
        kept["enabled"] = False
    imported.mappings.append(Member(document.name, kept, document.origin))


def _unread(source: Value) -> str | None:
    """Why no mapping of this source is read; None for one that is, and for one that is not known yet."""
    if isinstance(source, str):
        try:
            registry.source_of(source)
        except ValueError as error:
            return str(error)
    elif not isinstance(source, Unknown):
        return f"it has no ARN of a source, as Kafka outside AWS; {registry.any_source()} is read"
    return None


def _guessed(document: Document) -> str:
    """The service of a source that is not known: clusters are watched, streams start somewhere, queues do neither."""
    if document.get("document_db_event_source_config"):
        return "rds"
    return "kinesis" if document.text("starting_position") else "sqs"


def _without_silence(imported: Imported, document: Document, options: dict[str, Value], service: str) -> None:
    """Take out zeros that cannot be settings: an age of 0, and retries of a stream whose other settings were not told either."""
    kind = kind_for(service)
    for name in kind.silent if kind is not None else ():
        if options.get(name) == 0:
            del options[name]
    if options.get(_AGE) == 0:
        del options[_AGE]
    # AWS tells a factor of 1 at least. Where it is 0 nobody asked AWS for a stream's settings, and 0 retries would lose records.
    if document.get("parallelization_factor") == 0 and options.get(_RETRIES) == 0:
        del options[_RETRIES]
        if document.text("starting_position"):
            message = f"left out {_RETRIES}: 0, which is also what stands where it was not told; set it if it is meant"
            imported.note(document.place, document.name, message)


def _note_left(imported: Imported, document: Document, left: list[str]) -> None:
    """Tell what is left out, but for what says nothing and for what AWS only reports."""
    given: Mapping[str, Value] = document.given()
    told = [key for key in left if plain(key) not in _SILENT and given.get(key) not in (0, False)]
    told = [key for key in told if plain(key.partition(".")[0]) not in _SILENT]
    if told:
        message = f"left out {', '.join(told)}, which mappings of this source do not have here"
        imported.note(document.place, document.name, message)
    if any(plain(key) == "kmskeyarn" for key in given):
        message = "kms_key_arn has no effect outside AWS: its filters are written in clear text"
        imported.note(document.place, document.name, message)
