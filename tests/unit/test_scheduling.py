"""Which worker runs which test: files stay together, LocalStack's tests too, and the longest begin first."""

from __future__ import annotations

import random

import pytest

from tests.scheduling import FIRST, LOCALSTACK, place, unit_of
from tests.unit.test_architecture import ROOT


def test_a_files_tests_are_one_unit() -> None:
    """So that what a module's fixture has started serves all of them."""
    assert unit_of("tests/unit/test_x.py::test_a") == unit_of("tests/unit/test_x.py::TestB::test_b[c::d]")
    assert unit_of("tests/unit/test_x.py::test_a") != unit_of("tests/unit/test_y.py::test_a")


@pytest.mark.parametrize(
    "nodeid",
    [
        "tests/e2e/test_sqs.py::test_x[localstack]",
        "tests/contract/test_sqs.py::test_x[localstack-11]",
        "tests/contract/test_streams.py::test_x[localstack kinesis]",
        "tests/contract/test_destinations.py::test_x",
    ],
)
def test_the_tests_of_localstack_are_one_unit(nodeid: str) -> None:
    """It is started once. Collection fails for a test that has its fixture and is not in the unit."""
    assert unit_of(nodeid) == LOCALSTACK


def test_what_takes_longest_begins_first_and_unit_tests_last() -> None:
    """Whatever order the tests have been shuffled into."""
    ids = [
        "tests/e2e/test_sqs.py::test_x[localstack]",
        "tests/e2e/test_console.py::test_x",
        "tests/e2e/test_signals.py::test_x",
        "tests/contract/test_seam.py::test_x",
        "tests/faults/test_sqs.py::test_x",
        "tests/pollers/test_order.py::test_x",
        "tests/unit/test_x.py::test_x",
    ]
    assert sorted(random.sample(ids, len(ids)), key=place) == ids


def test_the_files_that_begin_first_exist() -> None:
    """A file that is renamed would lose its place silently."""
    assert [name for name in FIRST if name != LOCALSTACK and not (ROOT / name).is_file()] == []
