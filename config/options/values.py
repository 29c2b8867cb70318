"""Single values: whether a value suits an option, and what it becomes."""

from __future__ import annotations

import math
import os
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from config.options.model import Existing, TextKind
from config.options.shapes import Flag, Instant, Number, OneOf, Shape, Text
from config.text.arns import parse_arn
from config.text.nodes import JSON_NUMBER, Node, Scalar

REFUSED: Final = object()
"""What :func:`convert` returns for a value that does not suit the option."""

_TRUTH = {"true": True, "false": False}
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_CONNECTION_URI = re.compile(r"mongodb(?:\+srv)?://(?:[^@/?]*@)?[^@/?:,][^@/?]*(?:/[^/?@]*)?(?:\?.*)?")
"""Scheme, user information, hosts, database and options, as far as these are told apart; the driver reads them."""
_INTEGER = re.compile(r"-?[0-9]{1,18}")


def convert(shape: Shape, node: Node, *, in_quotes: bool = False) -> Any:  # noqa: ANN401 - as the shape tells
    """A scalar as the option's value, or :data:`REFUSED`.

    A text is not taken as a number, not even ``"10"``, unless it comes from the environment, where all values are texts, or with
    ``in_quotes``.
    """
    if not isinstance(node, Scalar):
        return REFUSED
    textual = in_quotes or bool(node.variables)
    match shape:
        case Text(kind, length):
            text = _text(kind, node)
            return text if isinstance(text, str) and length.allow(len(text)) and _has_form(kind, text) else REFUSED
        case Number(whole, limits):
            number = _number(node, whole=whole, textual=textual)
            return number if number is not None and limits.allow(number) else REFUSED
        case Flag():
            return _flag(node, textual=textual)
        case OneOf(values):
            value = _flag(node, textual=textual) if all(isinstance(v, bool) for v in values) else node.value
            return next((v for v in values if v is value or (isinstance(v, str) and v == value)), REFUSED)
        case Instant():
            moment = _instant(node, textual=textual)
            return REFUSED if moment is None else moment
        case _:
            return REFUSED


def looks_like(shape: Shape, text: str) -> bool:
    """Whether a quoted text would have been right without its quotes."""
    if isinstance(shape, Flag):
        return text in _TRUTH
    return isinstance(shape, Number) and JSON_NUMBER.fullmatch(text) is not None


def absolute(folder: Path, text: str) -> Path:
    """A path made absolute. Symbolic links are kept: a virtual environment's python is one."""
    return Path(os.path.abspath(folder / text))


def path_problem(path: Path, existing: Existing | None) -> str | None:
    """What is wrong with a path, or None if there is what must exist there."""
    try:
        return _path_problem(path, existing)
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"


def is_url(text: str) -> bool:
    """Whether this is an http or https URL with a host and, if any, a proper port."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and _printable(text)
    except ValueError:
        return False


def _printable(text: str) -> bool:
    return text.isprintable() and " " not in text


def _path_problem(path: Path, existing: Existing | None) -> str | None:
    if existing is None:
        return None
    if not path.exists():
        return "does not exist"
    if existing is Existing.FOLDER:
        return None if path.is_dir() else "is no folder"
    if existing is Existing.CODE:
        return None if path.is_dir() or zipfile.is_zipfile(path) else "is neither a folder nor a .zip file"
    if not path.is_file():
        return "is no file"
    return "is not executable" if existing is Existing.PROGRAM and not os.access(path, os.X_OK) else None


def _text(kind: TextKind, node: Scalar) -> str | None:
    if kind is TextKind.SCALAR and isinstance(node.value, bool):
        return str(node.value).lower()
    if kind is TextKind.SCALAR and isinstance(node.value, int | float):
        return node.text
    return node.value if isinstance(node.value, str) else None


def _has_form(kind: TextKind, text: str) -> bool:
    if kind is TextKind.URL:
        return is_url(text)
    if kind is TextKind.REGION:
        return _REGION.fullmatch(text) is not None
    if kind is TextKind.SECRET:
        return text.isascii() and _printable(text)
    if kind is TextKind.CONNECTION_URI:
        return _printable(text) and _CONNECTION_URI.fullmatch(text) is not None
    if kind is TextKind.ARN:
        try:
            parse_arn(text)
        except ValueError:
            return False
    return "\0" not in text


def _number(node: Scalar, *, whole: bool, textual: bool) -> float | int | None:
    value = node.value
    if isinstance(value, str) and textual:
        value = _number_from(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and (whole or not math.isfinite(value)):
        return None
    return value


def _number_from(text: str) -> float | int | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if JSON_NUMBER.fullmatch(text) else None


def _flag(node: Scalar, *, textual: bool) -> Any:  # noqa: ANN401 - a bool or REFUSED
    if isinstance(node.value, str) and textual:
        return _TRUTH.get(node.value.strip().lower(), REFUSED)
    return node.value if isinstance(node.value, bool) else REFUSED


def _instant(node: Scalar, *, textual: bool) -> datetime | None:
    seconds = _number(node, whole=False, textual=textual)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        if not isinstance(node.value, str):
            return None
        moment = datetime.fromisoformat(node.value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
