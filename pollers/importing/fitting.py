"""From settings as other tools spell them to options as their models have them: names, types, and blocks that are lists of one.

A decider, used for every source. Keys that no option has are not an error here: they are returned, for the caller to say what
becomes of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

from config.options.model import TextKind
from config.options.shapes import Either, Flag, Instant, ListOf, MapOf, Number, OneOf, Section, Shape, Text, options_of
from config.sources import registry
from pollers.importing.values import Joined, JsonText, NameOf, Unknown, Value, text_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from config.options.model import Model
    from config.options.shapes import Option
    from config.sources import SourceConfig

_TRUTH = {"true": True, "false": False}
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?(?:[eE]\+?[0-9])?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(slots=True)
class Fitted:
    """Options by name, in the order of their model.

    ``left`` are the keys (dotted) that no option has. ``unsaid`` are whole blocks that cannot be known, each with the reason: a
    variable can only be a single value.
    """

    options: dict[str, Value] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)


def fit(given: Mapping[str, Value], options: Mapping[str, Option]) -> Fitted:
    """Give each setting the name and the type of its option. Nothing (null) is not set; an unset block is left out."""
    found = Fitted()
    names = {_plain(spelling): option for option in options.values() for spelling in option.names}
    for key, value in given.items():
        option = names.get(_plain(key))
        if option is None:
            found.left.append(key)
            continue
        fitted = _fitted(value, option.shape, key, found)
        if fitted is not None:
            found.options[option.name] = fitted
    found.options = {name: found.options[name] for name in options if name in found.options}
    return found


@cache
def settings_for(service: str | None) -> Mapping[str, Option]:
    """The settings of mappings whose source is of this service (third part of its ARN); of all kinds where it is not known."""
    kind = kind_for(service)
    return registry.all_settings() if kind is None else registry.settings_of(kind)


def kind_for(service: str | None) -> SourceConfig | None:
    """The kind of sources of this service; None where it is not known."""
    return next((kind for kind in registry.KINDS if service in kind.services), None)


def part_read(options: Mapping[str, Value], service: str | None) -> Hashable:
    """Which part of its source a mapping with these options reads; None for all of it."""

    def setting(name: str) -> object:
        value = options.get(name)
        return SimpleNamespace(**value) if isinstance(value, dict) else value

    kind = kind_for(service)
    return None if kind is None else registry.part_of(kind, setting)


def _plain(name: str) -> str:
    """A name without its style: ``KMSKeyArn``, ``KmsKeyArn`` and ``kms_key_arn`` are one."""
    return name.replace("_", "").lower()


def _fitted(value: Value, shape: Shape, path: str, into: Fitted) -> Value:
    match shape:
        case Section(model):
            return _block(value, model, path, into)
        case ListOf(item):
            items = value if isinstance(value, list) else [value]
            return [each for one in items if (each := _fitted(one, item, path, into)) is not None]
        case MapOf(item) if isinstance(value, dict):
            return {key: each for key, one in value.items() if (each := _fitted(one, item, path, into)) is not None}
        case MapOf():
            _unsaid(value, path, into)
            return None
        case Either(shapes):
            return _fitted(value, _of_either(value, shapes), path, into)
        case _:
            return _single(value, shape)


def _block(value: Value, model: type[Model], path: str, into: Fitted) -> Value:
    """A block: its own options, or nothing where none is set."""
    block = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(block, dict):
        _unsaid(block, path, into)
        return None
    inner = fit(block, options_of(model))
    into.left.extend(f"{path}.{key}" for key in inner.left)
    into.unsaid.extend(f"{path}.{reason}" for reason in inner.unsaid)
    return inner.options or None


def _unsaid(value: Value, path: str, into: Fitted) -> None:
    if isinstance(value, Unknown):
        into.unsaid.append(f"{path} ({value.reason})")


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
