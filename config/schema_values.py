"""Single values in the JSON Schema of CONFIG: what may stand for a number, a time, a text."""

from __future__ import annotations

from typing import Any, TypeAlias

from config.options.model import TextKind
from config.options.shapes import FilePath, Flag, Instant, Limits, Number, OneOf, Shape, Text

Schema: TypeAlias = dict[str, Any]

VARIABLE: Schema = {"$ref": "#/$defs/Variable"}


def simple(shape: Shape, *, in_quotes: bool) -> list[Schema]:
    """The alternatives for a value of this shape; with ``in_quotes``, also as a text that is read as its type."""
    if in_quotes and (written := _in_quotes(shape)) is not None:
        return [*simple(shape, in_quotes=False), {"type": "string", "pattern": written}]
    match shape:
        case Text(kind, length):
            return _text(kind, length)
        case Number(whole, limits):
            return [{"type": "integer" if whole else "number"} | bounds(limits, "minimum", "maximum"), VARIABLE]
        case Flag():
            return [{"type": "boolean"}, VARIABLE]
        case OneOf(values):
            return [{"enum": list(values)}, VARIABLE]
        case FilePath():
            return [{"type": "string", "minLength": 1}]
        case Instant():
            return [{"type": ["string", "number"]}]
        case _:
            raise TypeError(f"no schema for {shape}")


def _in_quotes(shape: Shape) -> str | None:
    """What a text must look like to be read as another type; None where texts are not."""
    if isinstance(shape, Number):
        return r"^\s*-?[0-9]"
    truth = isinstance(shape, Flag) or (
        isinstance(shape, OneOf) and all(isinstance(each, bool) for each in shape.values)
    )
    return r"^\s*([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])\s*$" if truth else None


def _text(kind: TextKind, length: Limits) -> list[Schema]:
    if kind is TextKind.PATTERN:
        return [{"type": "string"}, {"type": "object"}]
    if kind is TextKind.JSON:
        return [{"type": ["string", "number", "boolean", "object", "array"]}]
    if kind is TextKind.SCALAR:
        return [{"type": ["string", "number", "boolean"]}]
    if kind is TextKind.URL:
        return [{"type": "string", "pattern": "^https?://"}, VARIABLE]
    if kind is TextKind.CONNECTION_URI:
        return [{"type": "string", "pattern": r"^mongodb(\+srv)?://"}, VARIABLE]
    if kind is TextKind.REGION:
        return [{"type": "string", "pattern": "^[a-z0-9-]+$"}, VARIABLE]
    limits = bounds(length, "minLength", "maxLength")
    return [{"type": "string"} | limits, VARIABLE] if limits else [{"type": "string"}]


def bounds(limits: Limits, lower: str, upper: str) -> Schema:
    """Limits under the names that the schema has for them."""
    found: Schema = {}
    if limits.at_least is not None:
        found[lower] = limits.at_least
    if limits.more_than is not None:
        found["exclusiveMinimum"] = limits.more_than
    if limits.at_most is not None:
        found[upper] = limits.at_most
    return found
