"""Every kind of source that is read, and what their declarations say together.

A new kind is a file with its :class:`config.sources.kind.SourceConfig`, and one line here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from config.options.shapes import options_of
from config.sources.documentdb import DOCUMENTDB
from config.sources.dynamodb import DYNAMODB
from config.sources.kind import EventSource, SourceConfig
from config.sources.kinesis import KINESIS
from config.sources.sqs import SQS
from config.sources.unread import NO_SOURCES, UNREAD, UnreadKind
from config.text.arns import parse_arn
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from config.options.shapes import Option
    from config.sources.kind import Endpoints, Family
    from config.sources.mapping import Mapping as MappingModel
    from config.text.arns import Arn

KINDS: tuple[SourceConfig, ...] = (SQS, KINESIS, DYNAMODB, DOCUMENTDB)

_REGION = re.compile(r"[a-z][a-z0-9-]*")  # emulators have regions of their own, such as "ddblocal"
_ACCOUNT = re.compile(r"[0-9]{12}")


def source_of(text: str) -> EventSource:
    """The source that an ARN names. Raises ValueError: what was found, and what would be right."""
    try:
        arn = parse_arn(text)
    except ValueError:
        raise ValueError(f"found {_seen(text)}, expected the ARN of {_kinds_read()}") from None
    kinds = [kind for kind in KINDS if arn.service in kind.services]
    if not kinds:
        raise ValueError(_not_read(arn))
    for kind in kinds:
        for form in kind.forms:
            if form.service == arn.service and form.resource.fullmatch(arn.resource):
                _check_owner(arn)
                return EventSource(kind, form)
    raise ValueError(f"found {quoted(text)}, expected {kinds[0].expected(arn)} (AWS: Unrecognized event source.)")


def families() -> dict[Family, list[SourceConfig]]:
    """The kinds by family, both in the order of the registry."""
    found: dict[Family, list[SourceConfig]] = {}
    for kind in KINDS:
        found.setdefault(kind.family, []).append(kind)
    return found


def settings_of(kind: SourceConfig) -> dict[str, Option]:
    """What a mapping of this kind may say, by name."""
    return {
        name: option for name, option in options_of(kind.model).items() if name != "name" and name not in kind.without
    }


def located(mapping: MappingModel, endpoints: Endpoints) -> MappingModel:
    """The mapping with where its source is, as far as the ``aws`` section says so and the mapping does not."""
    return source_of(mapping.event_source_arn).kind.located(mapping, endpoints)


def part_of(kind: SourceConfig, setting: Callable[[str], Any]) -> Hashable:
    """Which part of its source a mapping reads, told how to find its settings; None for all of it."""
    if kind.part is None:
        return None
    name, part = kind.part
    return part(setting(name))


def all_settings() -> dict[str, Option]:
    """What a mapping of any kind may say, by name; required is what every kind requires."""
    found: dict[str, Option] = {}
    for kind in reversed(KINDS):
        found |= settings_of(kind)
    return {
        name: replace(option, required=all(name in _required(kind) for kind in KINDS)) for name, option in found.items()
    }


def takers_of(spelling: str) -> tuple[str, tuple[SourceConfig, ...]] | None:
    """The name of the setting that is spelled so, and the kinds that take it; None when no kind does."""
    return _takers(KINDS).get(spelling)


def unread_kinds() -> list[UnreadKind]:
    """The kinds that Lambda reads and that have no declaration here."""
    read = {service for kind in KINDS for service in kind.services}
    return [kind for kind in UNREAD if not read & set(kind.services)]


def any_of(texts: Iterable[str]) -> str:
    """``a, b or c``."""
    *most, last = texts
    return f"{', '.join(most)} or {last}" if most else last


def all_of(texts: Iterable[str]) -> str:
    """``a, b and c``."""
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def any_source() -> str:
    """``a queue or a stream``: a source of any kind."""
    return any_of(f"a {family.noun}" for family in families())


def _required(kind: SourceConfig) -> set[str]:
    return {name for name, option in settings_of(kind).items() if option.required}


@cache
def _takers(kinds: tuple[SourceConfig, ...]) -> dict[str, tuple[str, tuple[SourceConfig, ...]]]:
    found: dict[str, tuple[str, tuple[SourceConfig, ...]]] = {}
    for kind in kinds:
        for name, option in settings_of(kind).items():
            for spelling in option.names:
                _, others = found.get(spelling, (name, ()))
                found[spelling] = (name, (*others, kind))
    return found


def _kinds_read() -> str:
    return any_of(kind.called for kind in KINDS)


def _seen(text: str) -> str:
    for kind in KINDS:
        if kind.words.url is not None and kind.words.url.match(text):
            return f"{quoted(text)}, which looks like a {kind.family.noun}'s URL"
    return quoted(text) if text else "an empty text"


def _not_read(arn: Arn) -> str:
    others = NO_SOURCES | {service: kind.called for kind in UNREAD for service in kind.services}
    if arn.service in others:
        found, expected = others[arn.service], f"{_kinds_read()}: other sources are not read"
    else:
        found, expected = quoted(arn.text), f"the ARN of {_kinds_read()}"
    return f"found {found}, expected {expected} (AWS: Unrecognized event source.)"


def _check_owner(arn: Arn) -> None:
    if not _REGION.fullmatch(arn.region):
        raise ValueError(f"found the region {quoted(arn.region)} in {quoted(arn.text)}, expected one such as us-east-1")
    if not _ACCOUNT.fullmatch(arn.account):
        raise ValueError(f"found the account {quoted(arn.account)} in {quoted(arn.text)}, expected 12 digits")
