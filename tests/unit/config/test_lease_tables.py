"""Names of lease tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.lease_tables import mapping_problems, pattern_problem, schedules_problems, schedules_table, table_of
from config.models import Runtime


@pytest.mark.parametrize(
    "pattern",
    [
        "abc",
        "a" * 255,
        "team.Orders_v2-leases",
        "{mapping}",
        "headrace-{mapping}",
        "{mapping}-{mapping}",
        "a" * 250 + "{mapping}",
    ],
)
def test_what_dynamodb_takes_is_taken(pattern: str) -> None:
    """The mapping's name counts where there is one."""
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "found 'dynamodb:', expected dynamodb:TABLE with TABLE of letters, digits, _, . and -, and {mapping}"),
        ("my leases", "found 'dynamodb:my leases', expected dynamodb:TABLE"),
        ("läser", "found 'dynamodb:läser', expected dynamodb:TABLE"),
        ("a/b/c", "found 'dynamodb:a/b/c', expected dynamodb:TABLE"),
        ("leases-{name}", "found 'dynamodb:leases-{name}', expected dynamodb:TABLE"),
        ("leases-{Mapping}", "found 'dynamodb:leases-{Mapping}', expected dynamodb:TABLE"),
        ("leases\n", "found 'dynamodb:leases\\n', expected dynamodb:TABLE"),
        ("ab", "found a table name of 2 characters, expected 3 to 255"),
        ("a" * 256, "found a table name of 256 characters, expected 3 to 255"),
        ("a" * 256 + "{mapping}", "found a table name of 256 characters, expected 3 to 255"),
    ],
)
def test_what_dynamodb_does_not_take_is_a_problem(pattern: str, problem: str) -> None:
    """With what would be right."""
    found = pattern_problem(pattern)
    assert found is not None
    assert found.startswith(problem)


def test_mappings_with_tables_of_their_own_have_no_problem() -> None:
    """One mapping needs no placeholder, none needs nothing."""
    assert list(mapping_problems("leases-{mapping}", ["clicks", "users"])) == []
    assert list(mapping_problems("leases", ["clicks"])) == []
    assert list(mapping_problems("leases", [])) == []


def test_one_table_for_several_mappings_is_a_problem() -> None:
    """It names them, and a pattern that would do."""
    assert list(mapping_problems("leases", ["clicks", "users", "orders"])) == [
        "found one table 'leases' for the stream mappings clicks, users and orders, expected {mapping} in its name, such as "
        "dynamodb:leases-{mapping}: each mapping has a table of its own"
    ]


def test_a_mapping_whose_table_would_have_no_valid_name_is_a_problem() -> None:
    """Too short or too long; each is named."""
    assert list(mapping_problems("{mapping}", ["a", "abc"])) == [
        "found 'dynamodb:{mapping}', which is a table name of 1 characters for the mapping a, expected 3 to 255"
    ]
    (problem,) = mapping_problems("x" * 200 + "{mapping}", ["m" * 55, "m" * 56])
    assert "a table name of 256 characters for the mapping mmm" in problem


def test_a_mapping_has_its_table() -> None:
    """Its name stands wherever the placeholder does."""
    assert table_of("{mapping}-leases-{mapping}", "clicks") == "clicks-leases-clicks"
    assert Runtime(checkpoints="dynamodb:headrace-{mapping}").lease_table("clicks") == "headrace-clicks"


def test_a_store_is_a_file_or_tables() -> None:
    """A table is never taken for a file."""
    tables, file = Runtime(checkpoints="dynamodb:leases"), Runtime(checkpoints="sqlite:/a/c.db")
    assert (tables.sqlite_path, tables.lease_table("clicks")) == (None, "leases")
    assert (file.sqlite_path, file.lease_table("clicks")) == (Path("/a/c.db"), None)


def test_schedules_have_a_table_of_their_own() -> None:
    """It stands where the mapping's name would, or behind the only table's name."""
    assert schedules_table("headrace-{mapping}") == "headrace-schedules"
    assert schedules_table("headrace") == "headrace-schedules"
    assert Runtime(checkpoints="dynamodb:headrace").schedules_table == "headrace-schedules"
    assert Runtime(checkpoints="sqlite:/a/c.db").schedules_table is None


def test_a_table_of_schedules_that_has_no_valid_name_or_is_a_mappings_is_a_problem() -> None:
    """A mapping of a queue may be called schedules: it has no table."""
    assert list(schedules_problems("headrace-{mapping}", ["clicks"])) == []
    assert list(schedules_problems("headrace", ["schedules"])) == []
    assert list(schedules_problems("headrace-{mapping}", ["clicks", "schedules"])) == [
        "found the stream mapping schedules, whose table 'headrace-schedules' is that of the schedules, expected another "
        "name for the mapping"
    ]
    (problem,) = schedules_problems("x" * 250, [])
    assert "which is a table name of 260 characters for schedules" in problem
