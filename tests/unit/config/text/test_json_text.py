"""JSON is read with the line of every value; what it may not hold is one fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "headrace.json:1: found an empty file, expected a mapping"),
        ("[]", "headrace.json:1: found an empty list, expected a mapping"),
        ("\n\ntrue", "headrace.json:3: found true, expected a mapping"),
        ('{"aws": {}\n', "headrace.json:2: found the end of a line or of the file, expected ',' or '}'"),
        ('{"aws": {},\n}', "headrace.json:2: found malformed JSON at '}', expected a key in double quotes"),
        ('{"aws"\n {}}', "headrace.json:2: found malformed JSON at '{}}', expected ':'"),
        ("{aws: 1}", "headrace.json:1: found malformed JSON at 'aws: 1}', expected a key in double quotes"),
        ('{"aws": undefined}', "headrace.json:1: found malformed JSON at 'undefined}', expected a JSON value"),
        ('{"aws": NaN}', "headrace.json:1: found malformed JSON at 'NaN}', expected a JSON value"),
        ('{"aws": "a\nb"}', "headrace.json:1: found malformed JSON at '\"a', expected a string that ends on its line"),
        (
            '{"aws": "\\x"}',
            "headrace.json:1: found malformed JSON at '\"\\\\x\"}', expected a string with JSON's escapes only",
        ),
        (
            '{"aws": "\\ud800"}',
            "headrace.json:1: found malformed JSON at '\"\\\\ud800\"}', expected a string without halves",
        ),
        ('{"aws": {}} x', "headrace.json:1: found malformed JSON at 'x', expected the end of the file"),
        ('{"aws": ' + "[" * 100_000, "headrace.json:1: found more than 100 levels of nesting, expected fewer"),
        (
            '{"aws": ' + "9" * 5000 + "}",
            "headrace.json:1: found malformed JSON at '99999999999999999999', expected a shorter number",
        ),
    ],
)
def test_what_is_no_json_object_is_one_fault(folder: Folder, text: str, fault: str) -> None:
    """With its line, and never a traceback."""
    (found,) = folder.faults(text or " ", "headrace.json")

    assert found.startswith(fault)


def test_json_may_have_tabs_and_every_escape(folder: Folder) -> None:
    """Which YAML would refuse."""
    loaded = folder.load(
        '{\n\t"functions":\t{"f": {"runtime": "http", "url": "http://a",\n'
        '\t"headers": {"A": "\\u002d\\/\\ud83d\\ude00"}}}\n}',
        "headrace.json",
    )

    assert loaded.config.functions["f"].model_dump()["headers"] == {"A": "-/😀"}
