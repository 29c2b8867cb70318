"""What an option may hold, as its model says: loader, JSON Schema and table of options all go by it."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import annotated_types
from pydantic.fields import FieldInfo

from config.options.model import Existing, Model, Pasted, Spellings, TextKind

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a number or of a length; None where there is none."""

    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:g} to {self.at_most:.12g}"
        if self.more_than is not None:
            upper = f" and at most {self.at_most:.12g}" if self.at_most is not None else ""
            return f"above {self.more_than:g}{upper}"
        if self.at_least is not None:
            return f"of at least {self.at_least:g}"
        return f"of at most {self.at_most:.12g}" if self.at_most is not None else ""

    def allow(self, value: float) -> bool:
        """Whether the value lies within."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.more_than is None or value > self.more_than)
            and (self.at_most is None or value <= self.at_most)
        )


@dataclass(frozen=True, slots=True)
class Text:
    """A text; the lengths are in characters."""

    kind: TextKind = TextKind.TEXT
    length: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Number:
    """An integer, or with ``whole`` false any number."""

    whole: bool
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these texts, or always true or always false."""

    values: tuple[str | bool, ...]


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path, relative to the file that names it."""

    existing: Existing | None = None


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; the length is in items."""

    item: Shape
    length: Limits = Limits()


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping whose keys are the user's."""

    item: Shape


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping whose keys are the options of a model."""

    model: type[Model]


@dataclass(frozen=True, slots=True)
class Either:
    """A value of any of these shapes."""

    shapes: tuple[Shape, ...]


Shape: TypeAlias = Text | Number | Flag | OneOf | FilePath | Instant | ListOf | MapOf | Section | Either


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a model. ``attribute`` is its name in Python, ``name`` its name in files, ``names`` all that files may use."""

    attribute: str
    name: str
    names: tuple[str, ...]
    shape: Shape
    required: bool
    default: Any
    description: str
    pasted: bool = False


@cache
def options_of(model: type[Model]) -> dict[str, Option]:
    """A model's options by name, in the order of the model."""
    found = {}
    for attribute, info in model.model_fields.items():
        name = info.alias or attribute
        others = [m.names for m in info.metadata if isinstance(m, Spellings)]
        names = (name, pascal(name), *(spelling for group in others for spelling in group))
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        shape = shape_of(info.annotation, info.metadata)
        found[name] = Option(
            attribute,
            name,
            names,
            shape,
            info.is_required(),
            default,
            info.description or "",
            Pasted.ALSO in info.metadata,
        )
    return found


def pascal(name: str) -> str:
    """A snake_case name as CloudFormation spells it."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def shape_of(annotation: Any, metadata: Iterable[Any] = ()) -> Shape:  # noqa: ANN401 - annotations have no type of their own
    """The shape of an annotation with what ``Annotated`` and ``Field`` add to it."""
    marks = list(metadata)
    if typing.get_origin(annotation) is Annotated:
        annotation, *more = typing.get_args(annotation)
        for mark in more:
            marks.extend(mark.metadata if isinstance(mark, FieldInfo) else [mark])
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        kept = [a for a in arguments if a is not types.NoneType]
        if len(kept) == 1:
            return shape_of(kept[0], marks)
        return Either(tuple(shape_of(a, marks if _plain(a) else ()) for a in kept))
    if origin is Literal:
        return OneOf(arguments)
    if origin is list:
        return ListOf(shape_of(arguments[0]), _limits(marks))
    if origin is dict:
        return MapOf(shape_of(arguments[1]))
    return _simple(annotation, marks)


def _plain(annotation: Any) -> bool:  # noqa: ANN401 - annotations have no type of their own
    return typing.get_origin(annotation) is not Annotated


def _simple(annotation: Any, marks: list[Any]) -> Shape:  # noqa: ANN401 - annotations have no type of their own
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return Section(annotation)
    if annotation is bool:
        return Flag()
    if annotation in (int, float):
        return Number(annotation is int, _limits(marks))
    if annotation is str:
        return Text(next((m for m in marks if isinstance(m, TextKind)), TextKind.TEXT), _limits(marks))
    if annotation is Path:
        return FilePath(next((m for m in marks if isinstance(m, Existing)), None))
    if annotation is datetime:
        return Instant()
    raise TypeError(f"no option can hold {annotation!r}")


def _limits(marks: list[Any]) -> Limits:
    found: dict[str, Any] = {}
    for mark in marks:
        if isinstance(mark, annotated_types.Ge):
            found["at_least"] = mark.ge
        elif isinstance(mark, annotated_types.MinLen):
            found["at_least"] = mark.min_length
        elif isinstance(mark, annotated_types.Gt):
            found["more_than"] = mark.gt
        elif isinstance(mark, annotated_types.Le):
            found["at_most"] = mark.le
        elif isinstance(mark, annotated_types.MaxLen):
            found["at_most"] = mark.max_length
    return Limits(**found)


def expected(shape: Shape) -> str:
    """What is expected, in a fault's words."""
    match shape:
        case Text(kind, length):
            return f"{kind.value} {_of_length(length, 'characters')}".rstrip()
        case Number(whole, limits):
            return f"{'an integer' if whole else 'a number'} {limits}".rstrip()
        case Flag():
            return "true or false"
        case OneOf(values):
            shown = [str(v).lower() if isinstance(v, bool) else v for v in values]
            return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"
        case FilePath(existing):
            return f"the path of {existing.value}" if existing else "a path"
        case Instant():
            return "a time, as ISO 8601 text or as seconds since 1970"
        case ListOf(item, length):
            return f"a list {_of_length(length, 'items')}".rstrip() + f", each {expected(item)}"
        case MapOf():
            return "a mapping"
        case Section(model):
            return f"a mapping of {', '.join(options_of(model))}"
        case Either(shapes):
            return " or ".join(map(expected, shapes))


def _of_length(length: Limits, unit: str) -> str:
    text = str(length)
    if not text:
        return ""
    unit = (
        unit.removesuffix("s")
        if 1 in (length.at_least, length.at_most) and None in (length.at_least, length.at_most)
        else unit
    )
    return f"{text} {unit}" if text.startswith("of") else f"of {text.removeprefix('from ')} {unit}"
