"""The text of variables: which parts of a text are variables, and what each asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.importing.serverless.references import Asked, Literal, Reference, candidates, split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ["plain"]),
        ("${self:a.b}", [Asked("self:a.b")]),
        ("x-${self:a}-${opt:stage, 'dev'}", ["x-", Asked("self:a"), "-", Asked("opt:stage, 'dev'")]),
        ("${self:a.${opt:stage}.b}!", [Asked("self:a.${opt:stage}.b"), "!"]),
        ("${file(./a.yml):b}", [Asked("file(./a.yml):b")]),
        ("${AWS::Region}-${Queue.Arn}-${Name}", ["${AWS::Region}-${Queue.Arn}-${Name}"]),
        ("${AWS::Region}-${self:a}", ["${AWS::Region}-", Asked("self:a")]),
        ("${self:a", ["${self:a"]),
        ("", []),
    ],
)
def test_a_text_is_taken_apart(text: str, expected: list[object]) -> None:
    """What CloudFormation fills in stays as it is."""
    assert split(text) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("self:a.b", [Reference("self", "", "a.b")]),
        (
            "opt:stage, self:provider.stage, 'dev'",
            [Reference("opt", "", "stage"), Reference("self", "", "provider.stage"), Literal("dev")],
        ),
        ("env:A, 5, true, null", [Reference("env", "", "A"), Literal(5), Literal(True), Literal(None)]),
        ('file(./a, b.yml):c, "x, y"', [Reference("file", "./a, b.yml", "c"), Literal("x, y")]),
        ("file(./a.yml)", [Reference("file", "./a.yml", "")]),
        ("ssm:/a/b:c", [Reference("ssm", "", "/a/b:c")]),
        ("what is this", [None]),
    ],
)
def test_what_a_variable_asks(content: str, expected: list[object]) -> None:
    """One source after another, and values that stand there themselves."""
    assert candidates(content) == expected


@given(st.text("${}self:opt,ab. '()", max_size=40))
def test_any_text_is_taken_apart_and_nothing_is_lost(text: str) -> None:
    """The parts together are the text, but for spaces in the braces."""
    together = "".join(part if isinstance(part, str) else f"${{{part.content}}}" for part in split(text))
    assert together.replace(" ", "") == text.replace(" ", "")
    for part in split(text):
        if isinstance(part, Asked):
            assert candidates(part.content)
