"""What an option may hold is read from its model, and said in a fault's words."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations at run time
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated, Literal

import pytest
from pydantic import Field

from config.options.model import Existing, Model, Spellings, TextKind
from config.options.shapes import Limits, MapOf, Text, expected, options_of, pascal, shape_of


class Inner(Model):
    """A section."""

    size: int = Field(default=1, ge=1, description="how large")


class Outer(Model):
    """A section with one option of every shape."""

    text: str = Field(min_length=2, description="a text")
    number: float | None = Field(default=None, gt=0, le=9, description="a number")
    flag: bool = Field(default=False, description="a flag")
    word: Literal["a", "b"] = Field(default="a", description="a word")
    file: Annotated[Path, Existing.FILE] | None = Field(default=None, description="a file")
    moment: datetime | None = Field(default=None, description="a time")
    items: Annotated[list[int], Spellings(("item",))] = Field(default_factory=list, max_length=1, description="a list")
    inner: Inner = Field(default=Inner(), description="a section")
    either: Annotated[int, Field(ge=0)] | Inner | None = Field(default=None, description="one of two")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text", "text of at least 2 characters"),
        ("number", "a number above 0 and at most 9"),
        ("flag", "true or false"),
        ("word", "one of a, b"),
        ("file", "the path of a file"),
        ("moment", "a time, as ISO 8601 text or as seconds since 1970"),
        ("items", "a list of at most 1 item, each an integer"),
        ("inner", "a mapping of size"),
        ("either", "an integer of at least 0 or a mapping of size"),
    ],
)
def test_an_option_says_what_it_expects(name: str, words: str) -> None:
    """In the words that a fault ends with."""
    assert expected(options_of(Outer)[name].shape) == words


def test_an_option_has_every_spelling() -> None:
    """Its own, CloudFormation's, and those that its model names; only what has no default is required."""
    options = options_of(Outer)

    assert options["items"].names == ("items", "Items", "item")
    assert [name for name, option in options.items() if option.required] == ["text"]


def test_cloudformations_spelling_follows_from_the_name() -> None:
    """Each word begins with a capital letter."""
    assert pascal("maximum_batching_window_in_seconds") == "MaximumBatchingWindowInSeconds"


def test_markers_inside_a_collection_are_its_items() -> None:
    """A dictionary of URLs is no URL itself."""
    assert shape_of(dict[str, Annotated[str, TextKind.URL]]) == MapOf(Text(TextKind.URL))


def test_a_type_that_no_option_can_hold_is_refused() -> None:
    """At once, when the model is first read."""
    with pytest.raises(TypeError, match="no option can hold"):
        shape_of(bytes)


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [(Limits(at_least=1, at_most=3), (1, 3), (0, 4)), (Limits(more_than=0), (0.1,), (0,)), (Limits(), (-9, 9), ())],
)
def test_limits_include_their_ends(limits: Limits, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    """Except for the one that a value must be above."""
    assert all(limits.allow(value) for value in inside)
    assert not any(limits.allow(value) for value in outside)
