"""From settings as other tools spell them to options as their models have them: names, types, and blocks that are lists of one.

A decider, used for every source. Keys that no option has are not an error here: they are returned, for the caller to say what
becomes of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from config.options.model import TextKind
from config.options.shapes import Either, Flag, Instant, ListOf, MapOf, Number, OneOf, Section, Shape, Text, options_of
from config.sources import registry
from pollers.importing.values import Joined, JsonText, NameOf, Unknown, Value, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.options.shapes import Option

_TRUTH = {"true": True, "false": False}
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?(?:[eE]\+?[0-9])?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(slots=True)
class Fitted:
    """Options by name, in the order of the source, and the keys (dotted) that no option has."""

    options: dict[str, Value] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def fit(given: Mapping[str, Value], options: Mapping[str, Option]) -> Fitted:
    """Give each setting the name and the type of its option. Nothing (null) is not set; an unset block is left out."""
    found = Fitted()
    names = {_plain(spelling): option for option in options.values() for spelling in option.names}
    for key, value in given.items():
        option = names.get(_plain(key))
        if option is None:
            found.left.append(key)
            continue
        fitted = _fitted(value, option.shape, key, found.left)
        if fitted is not None:
            found.options[option.name] = fitted
    return found


@cache
def settings_for(service: str | None) -> Mapping[str, Option]:
    """The settings of mappings whose source is of this service (third part of its ARN); of all kinds where it is not known."""
    for kind in registry.KINDS:
        if service in kind.services:
            return registry.settings_of(kind)
    return registry.all_settings()


def _plain(name: str) -> str:
    """A name without its style: ``KMSKeyArn``, ``KmsKeyArn`` and ``kms_key_arn`` are one."""
    return name.replace("_", "").lower()


def _fitted(value: Value, shape: Shape, path: str, left: list[str]) -> Value:
    match shape:
        case Section(model):
            block = value[0] if isinstance(value, list) and len(value) == 1 else value
            if not isinstance(block, dict):
                return block if isinstance(block, Unknown) else None
            inner = fit(block, options_of(model))
            left.extend(f"{path}.{key}" for key in inner.left)
            return inner.options or None
        case ListOf(item):
            items = value if isinstance(value, list) else [value]
            return [found for each in items if (found := _fitted(each, item, path, left)) is not None]
        case MapOf(item):
            if not isinstance(value, dict):
                return value if isinstance(value, Unknown) else None
            return {key: found for key, each in value.items() if (found := _fitted(each, item, path, left)) is not None}
        case Either(shapes):
            return _fitted(value, _of_either(value, shapes), path, left)
        case _:
            return _single(value, shape)


def _of_either(value: Value, shapes: tuple[Shape, ...]) -> Shape:
    for shape in shapes:
        if isinstance(value, dict) == isinstance(shape, Section):
            return shape
    return shapes[0]


def _single(value: Value, shape: Shape) -> Value:
    match shape:
        case Number():
            return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value.strip()) else value
        case Flag():
            return _TRUTH.get(value.strip().lower(), value) if isinstance(value, str) else value
        case Text(TextKind.PATTERN | TextKind.JSON):
            return _json_text(value)
        case Text() | OneOf():
            if isinstance(value, NameOf) or (isinstance(value, bool) and isinstance(shape, OneOf)):
                return value
            return text_of(value)
        case Instant():
            return int(float(value)) if isinstance(value, str) and _SECONDS.fullmatch(value) else value
        case _:
            return value


def _json_text(value: Value) -> Value:
    """JSON text as such. What was written as a mapping instead of a text stays one, since that is the same."""
    return (
        JsonText(value)
        if isinstance(value, str)
        else value
        if isinstance(value, dict | list | Unknown | Joined)
        else None
    )
