"""Faults and notes are given by paths of options, and have file, line and the file's own spelling."""

from __future__ import annotations

from config.faults import ConfigError, Fault, Report
from config.text.nodes import Table
from config.text.places import Path, Place, dotted
from config.text.yaml_text import parse_yaml

TEXT = """\
FilterCriteria:
  Filters:
    - Pattern:
        body:
          type: []
"""


def report() -> Report:
    """One that knows where ``filter_criteria`` and its first pattern stand."""
    root = parse_yaml(TEXT, "x.yaml")
    assert isinstance(root, Table)
    entry = root.entries["FilterCriteria"]
    made = Report()
    made.enter(("filter_criteria",), entry.node, ("FilterCriteria",), entry.place)
    assert isinstance(entry.node, Table)
    filters = entry.node.entries["Filters"].node
    pattern = filters.items[0].entries["Pattern"]  # type: ignore[union-attr]
    path: Path = ("filter_criteria", "filters", 0, "pattern")
    made.enter(path, pattern.node, ("FilterCriteria", "Filters", 0, "Pattern"), pattern.place)
    return made


def test_a_fault_stands_where_its_option_stands() -> None:
    """Spelled as the file spells it."""
    made = report()
    made.fault(("filter_criteria", "filters", 0, "pattern"), "wrong")

    assert made.faults == [Fault("x.yaml", 3, "FilterCriteria.Filters[0].Pattern", "wrong")]


def test_a_fault_inside_a_value_without_model_is_followed_into_it() -> None:
    """To the line of the innermost key."""
    made = report()

    place, shown = made.locate(("filter_criteria", "filters", 0, "pattern", "body", "type"))

    assert (place, dotted(shown)) == (Place("x.yaml", 5), "FilterCriteria.Filters[0].Pattern.body.type")


def test_what_the_file_does_not_have_is_at_the_nearest_thing_around_it() -> None:
    """A missing option, for example."""
    place, shown = report().locate(("filter_criteria", "absent"))

    assert (place, dotted(shown)) == (Place("x.yaml", 1), "FilterCriteria.absent")


def test_faults_come_once_and_in_the_order_of_the_files() -> None:
    """Whatever the order in which they were found."""
    error = ConfigError(
        [Fault("b", 1, "x", "m"), Fault("a", 10, "x", "m"), Fault("a", 2, "x", "m"), Fault("b", 1, "x", "m")]
    )

    assert [(fault.file, fault.line) for fault in error.faults] == [("a", 2), ("a", 10), ("b", 1)]


def test_a_fault_is_one_line_that_no_terminal_obeys() -> None:
    """Keys of a file may hold anything."""
    assert str(Fault("x.yaml", 1, "a\x1b[2Jb\nc", "m")) == "x.yaml:1: a\\x1b[2Jb\\nc: m"
