"""Depth is judged before a parser sees the text, and never more is counted than there is."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.text.yaml_depth import line_beyond


def parsed_depth(text: str) -> int:
    """As PyYAML's own parser in Python has it; raises YAMLError for what is no YAML."""
    depth = deepest = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            deepest = max(deepest, depth)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return deepest


def scanned_depth(text: str) -> int:
    """The least limit that lets the text through."""
    return next(limit for limit in range(len(text) + 2) if line_beyond(text, limit) is None)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("", 0),
        ("a: b", 1),
        ("a:\n  b:\n    c: d\n  e: f\ng: h\n", 3),
        ("a:\n- b\n- c:\n  - d\ne: f\n", 4),
        ("- - - a\n    - b\n  - c\n- d", 3),
        ("a: [b, {c: [d]}]", 4),
        ("[[[", 3),
        ("a: '[[[ it''s [[['\nb: \"[[[ \\\" [[[\"\nc: x[[[y{{{\n", 1),
        ("a: 'over\n  lines [[['\nb: \"[\n\n[\"", 1),
        ("# [[[\na: b # {{{\nc: [d, # ]]] [[[\n  e]\n", 2),
        ("a: x#[[[\nb: [y#z, w]", 2),
        ("a: |\n  [[[\n    {{{\n\n  - - -\nb: >-\n  - [\nc: d", 1),
        ("- |\n [[[\n- >2\n   {{{\n- a: |+\n    [[[\n", 2),
        ("--- |\n[[[\n{{{\n...\n", 0),
        ("a: plain\n  goes\n     - on: -\n       [[[\nb: c\n", 1),
        ("&x a: !!map\n  &y b: *x\n", 2),
        ("? a\n: b: c\n", 2),
        ("? [a, b]\n: - c\n", 2),
        ("%YAML 1.1\n---\na: [b]\n", 2),
        ("a: [it\n  's, b]", 2),
        ('{"a":["b",{"c":"]"}]}', 3),
        ("a: http://[::1]:80/{x}\n", 1),
        ("a:\r\n  b:\r\n    - c\r\n", 3),
    ],
)
def test_what_opens_a_collection_is_counted(text: str, depth: int) -> None:
    """And brackets in quotes, comments, block scalars and plain text are not."""
    assert scanned_depth(text) == depth


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n" + "[" * 100_000, 2),
        ("a: {b:\n[c, [\n" + "[" * 1000, 3),
        ("\n".join(" " * n + "a:" for n in range(3000)), 101),
        ("- " * 50_000, 1),
        ("? " * 50_000, 1),
        ("# " + "[" * 1000 + "\n\n'[' : \n " + "{a: " * 1000, 4),
    ],
)
def test_the_line_is_that_of_the_one_too_many(text: str, line: int) -> None:
    """However much more there is."""
    assert line_beyond(text, 100) == line


_PIECES = st.sampled_from(
    [
        *(
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "- ",
            "? ",
            ": ",
            "\n",
            "\n",
            "\n  ",
            "\n    ",
            "\n ",
            " ",
            "\t",
            "a",
            "b: ",
            "a: ",
        ),
        *(
            '"',
            "'",
            "#",
            " #",
            "|",
            ">",
            "|\n",
            ">-\n  ",
            "&a ",
            "*a ",
            "!t ",
            "!!map ",
            "%",
            "\\",
            "x[",
            "]y",
            "- - ",
            "[]",
            "{}",
        ),
        *("\n---\n", "\n...\n", "\r\n", "-", "?", "''", '""', "\n- ", "\n  - ", "\n# [", "'[", '"{', "\x85", "é"),
    ]
)


@settings(max_examples=500)
@given(st.lists(_PIECES, max_size=30).map("".join))
def test_what_yaml_accepts_is_never_counted_too_deep(text: str) -> None:
    """Nor less than half as deep as it is: ``[a: b]`` makes two levels of one bracket."""
    try:
        depth = parsed_depth(text)
    except yaml.YAMLError:
        return

    assert (depth + 1) // 2 <= scanned_depth(text) <= depth


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from("ab [{]}#:-'\"\n,&*!|>?"), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from("ab[:# "), max_size=4), inner, max_size=3)
    ),
    max_leaves=15,
)


@settings(max_examples=300)
@given(_VALUES, st.sampled_from([None, True, False]), st.sampled_from([20, 80]), st.sampled_from([2, 4]))
def test_what_is_written_by_a_library_is_counted_exactly(
    value: object, flow: bool | None, width: int, indent: int
) -> None:
    """In its block, flow and mixed styles, folded at any width."""
    text = yaml.safe_dump(value, default_flow_style=flow, width=width, indent=indent, allow_unicode=True)

    assert scanned_depth(text) == parsed_depth(text)
