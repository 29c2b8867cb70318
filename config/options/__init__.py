"""From values to the options of a model: what an option may hold, and one way to read every model.

May import :mod:`config.text` and :mod:`config.faults`.
"""

from config.options.model import Existing, Idle, Model, Pasted, Refused, Spellings, TextKind
from config.options.outcome import Faulty, Reading
from config.options.reader import Reader, Wording
from config.options.shapes import (
    Either,
    FilePath,
    Flag,
    Instant,
    Limits,
    ListOf,
    MapOf,
    Number,
    OneOf,
    Option,
    Section,
    Shape,
    Text,
    options_of,
)
from config.options.spelling import recognise, suggestion

__all__ = [
    "Either",
    "Existing",
    "Faulty",
    "FilePath",
    "Flag",
    "Idle",
    "Instant",
    "Limits",
    "ListOf",
    "MapOf",
    "Model",
    "Number",
    "OneOf",
    "Option",
    "Pasted",
    "Reader",
    "Reading",
    "Refused",
    "Section",
    "Shape",
    "Spellings",
    "Text",
    "TextKind",
    "Wording",
    "options_of",
    "recognise",
    "suggestion",
]
