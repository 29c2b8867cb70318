"""The patterns in a text that is one pattern or a whole FilterCriteria in the form of Lambda's API."""

from __future__ import annotations

import json
from typing import Final

from pollers.filtering.errors import PatternError
from pollers.filtering.leaves import json_text
from pollers.jsontext.numbers import Json, NumberText

LIMIT_FILTERS: Final = 10
"""The most filters of a mapping (docs/lambda 6.1)."""


def patterns_in(text: str) -> list[str]:
    """The JSON text of each pattern. Raises PatternError for a FilterCriteria that has none or too many.

    A FilterCriteria (``{"Filters": [{"Pattern": ...}]}``) cannot be confused with a pattern, as ``Pattern`` is not an operator.
    Each pattern in it is a JSON object, or that object's text. All other text counts as a pattern, valid or not.
    """
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return [text]
    filters = _filters(value)
    if filters is None:
        return [text]
    if not 1 <= len(filters) <= LIMIT_FILTERS:
        raise PatternError(("Filters",), f"there are 1 to {LIMIT_FILTERS} filters, not {len(filters)}")
    return [pattern if isinstance(pattern, str) else json_text(pattern) for pattern in filters]


def _filters(value: Json) -> list[Json] | None:
    """The patterns of a FilterCriteria, with keys in either case; None if ``value`` is not a FilterCriteria."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    filters = value.get("Filters", value.get("filters"))
    if not isinstance(filters, list) or not all(isinstance(item, dict) and len(item) == 1 for item in filters):
        return None
    if not all("Pattern" in item or "pattern" in item for item in filters):
        return None
    return [item.get("Pattern", item.get("pattern")) for item in filters]


_DECODER = json.JSONDecoder(parse_int=NumberText.of, parse_float=NumberText.of)
