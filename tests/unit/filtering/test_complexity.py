"""Wildcards that AWS refuses as too complex are refused, in its words; those that it is known to take are taken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollers.filtering import Pattern, PatternError
from pollers.filtering.complexity import LIMIT, complexity
from pollers.filtering.texts import wildcard_parts

WORDS = (
    "Rule is too complex - try using fewer wildcard characters or "
    "fewer repeating character sequences after a wildcard character"
)


def measured(*wildcards: str) -> int:
    """The measure of a field with these wildcards."""
    return complexity(map(wildcard_parts, wildcards))


def by_every_text(*wildcards: str) -> int:
    """The same as plainly as possible: every set of beginnings that some text fits, one character after the other."""
    patterns = []
    for wildcard in dict.fromkeys(wildcards):
        tokens: list[str | None] = ['"']
        for number, part in enumerate(wildcard_parts(wildcard)):
            tokens += [*([None] if number else []), *part]
        patterns.append([*tokens, '"'])
    alphabet = {token for tokens in patterns for token in tokens if token} | {"~"}
    start = frozenset((number, 0) for number in range(len(patterns)))
    seen, waiting, most = {start}, [start], 0
    while waiting:
        for character in alphabet:
            after = set()
            for number, length in (reached := waiting[-1]):
                tokens = patterns[number]
                if length and tokens[length - 1] is None:
                    after.add((number, length))
                if length < len(tokens) and tokens[length] == character:
                    after.add((number, length + 1))
            after |= {(n, at + 1) for n, at in after if at < len(patterns[n]) and patterns[n][at] is None}
            most = max(most, len(after))
            if after and (found := frozenset(after)) not in seen:
                seen.add(found)
                waiting.insert(0, found)
        assert waiting.pop() is reached
    return most


@pytest.mark.parametrize(
    ("wildcards", "expected"),
    [
        ([], 0),
        (["abc"], 1),
        (["1*2345"], 2),
        (["1*2345"] * 10, 2),
        (["a*a*a"], 4),
        (["*a*a*a*a*"], 9),
        (["*.bif", "*.tiff", "*.tif", "*.svs"], 8),
        ([f"*/datasync/*.{end}" for end in ("bif", "tif")], 8),
        ([f"*:stack/{name}/*" for name in ("One", "Two", "Three")], 9),
    ],
)
def test_what_aws_takes_is_within_the_limit(wildcards: list[str], expected: int) -> None:
    """The measure of the rule engine on its own examples, and of wildcards known to be in use."""
    assert measured(*wildcards) == expected <= LIMIT
    Pattern.compile(json.dumps({"body": {"key": ["x", *({"wildcard": wildcard} for wildcard in wildcards)]}}))


@pytest.mark.parametrize(
    "wildcards",
    [
        ["*a*a*a*a*a*"],
        ["a*b" * 20],
        [f"*/datasync/*.{end}" for end in ("bif", "tif", "tiff", "svs")],
        [f"*:stack/{name}/*" for name in ("One", "Two", "Three", "Four")],
        [f"dir/*.{end}" for end in "abcdef"],
    ],
)
def test_what_aws_refuses_is_refused_in_its_words(wildcards: list[str]) -> None:
    """As entries of a leaf, and as what anything-but excludes; the path leads to the field."""
    for entries in ([{"wildcard": wildcard} for wildcard in wildcards], [{"anything-but": {"wildcard": wildcards}}]):
        with pytest.raises(PatternError) as refused:
            Pattern.compile(json.dumps({"body": {"key": entries}}))
        assert refused.value.reason == WORDS
        assert refused.value.path == ("body", "key")


def test_fields_are_measured_one_by_one() -> None:
    """Wildcards of different fields do not add up."""
    Pattern.compile(json.dumps({"body": {name: [{"wildcard": "*a*a*a*a*"}] for name in "abcdef"}}))


@pytest.mark.parametrize("wildcard", ["*" + "a" * 4000, "a" * 4000 + "*", "*" + "ab" * 1500 + "*" + "ab" * 500])
def test_the_longest_wildcards_are_measured_at_once(wildcard: str) -> None:
    """In time that grows with their length, not with the texts that they could fit."""
    assert measured(wildcard) > 1


_PARTS = st.lists(st.text("ab", max_size=3), min_size=1, max_size=3).filter(lambda parts: all(parts[1:-1]))


@settings(max_examples=300)
@given(st.lists(_PARTS, min_size=1, max_size=3))
def test_the_measure_is_the_most_that_any_text_fits(patterns: list[list[str]]) -> None:
    """Trying every text finds the same; beyond the limit it only matters that it is beyond."""
    wildcards = ["*".join(parts) for parts in patterns]

    assert min(measured(*wildcards), LIMIT + 1) == min(by_every_text(*wildcards), LIMIT + 1)
