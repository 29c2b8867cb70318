"""A pattern's text, and a FilterCriteria's."""

from __future__ import annotations

import json

import pytest

from pollers.filtering import Pattern, PatternError
from pollers.filtering.criteria import patterns_in


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1]}',
        "{broken",
        "[" * 5000,
        "[]",
        '{"Filters": ["x"]}',
        '{"Filters": [{"prefix": "x"}]}',
        '{"Filters": [{"Pattern": "x", "other": 1}]}',
        '{"Filters": [{"Pattern": "x"}], "other": [1]}',
    ],
)
def test_other_text_is_one_pattern(text: str) -> None:
    """Whether it is a valid one is the compiler's to say; an event may have a field Filters."""
    assert patterns_in(text) == [text]


@pytest.mark.parametrize(("filters", "pattern"), [("Filters", "Pattern"), ("filters", "pattern")])
def test_filter_criteria_has_patterns(filters: str, pattern: str) -> None:
    """As text or as objects, in either spelling; numbers stay as they are written."""
    text = f'{{"{filters}": [{{"{pattern}": "{{\\"a\\": [1]}}"}}, {{"{pattern}": {{"b": [3.0e2, "é\\"", null]}}}}]}}'
    first, second = patterns_in(text)
    assert first == '{"a": [1]}'
    assert second == '{"b": [3.0e2, "é\\"", null]}'
    Pattern.compile(second)


@pytest.mark.parametrize("count", [0, 11])
def test_filter_criteria_has_one_to_ten_filters(count: int) -> None:
    """More than Lambda's quota can be raised to is refused."""
    with pytest.raises(PatternError, match=f"1 to 10 filters, not {count}"):
        patterns_in(json.dumps({"Filters": [{"Pattern": '{"a": [1]}'}] * count}))
