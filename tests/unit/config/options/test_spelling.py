"""Which option a key means, and which one an unknown key was probably meant to be."""

from __future__ import annotations

import pytest

from config.options.spelling import recognise, suggestion
from config.text.nodes import Table
from config.text.yaml_text import parse_yaml

NAMES = {"batch_size": "batch_size", "BatchSize": "batch_size", "enabled": "enabled", "Enabled": "enabled"}


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("batchsize", " (did you mean 'batch_size'?)"),
        ("Batchsize", " (did you mean 'BatchSize'?)"),
        ("batch-size", " (did you mean 'batch_size'?)"),
        ("enable", " (did you mean 'enabled'?)"),
        ("topics", ""),
    ],
)
def test_a_close_name_is_suggested_in_the_keys_own_style(key: str, found: str) -> None:
    """And none where no name is close."""
    assert suggestion(key, NAMES) == found


def test_a_second_spelling_of_an_option_is_a_repeat() -> None:
    """The first one in the file is the option's; unknown keys are neither."""
    table = parse_yaml("BatchSize: 1\nother: 2\nbatch_size: 3\nenabled: true\n", "x.yaml")
    assert isinstance(table, Table)

    first, again = recognise(table, NAMES)

    assert [(found.name, found.key) for found in first] == [("batch_size", "BatchSize"), ("enabled", "enabled")]
    assert [(found.name, found.key) for found in again] == [("batch_size", "batch_size")]
