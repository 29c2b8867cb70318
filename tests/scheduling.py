"""Which worker of pytest-xdist runs which test: a file's tests run in one, and what takes long begins first.

Tests of a file share what its fixtures have started. So do all tests of a heavy emulator, whatever their file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

LOCALSTACK: Final = "localstack"
USES_LOCALSTACK: Final = re.compile(
    r"""
    \[localstack[\] -]
    | ::test_the_configuration_of_compose_runs_on_its_localstack
    | ::test_partial_progress_begins_a_fresh_count
    | tests/contract/test_((invocation_)?destinations|emulators)\.py
    """,
    re.VERBOSE,
)
"""It takes ten seconds of a CPU to start: one worker does. The scheduler knows tests by their ids alone."""

FIRST: Final = (
    LOCALSTACK,
    "tests/e2e/test_terraform.py",
    "tests/e2e/test_function_logs.py",
    "tests/e2e/test_console.py",
    "tests/e2e/test_replicas_schedules.py",
    "tests/e2e/test_documentdb.py",
    "tests/e2e/test_kinesis.py",
    "tests/e2e/test_sqs.py",
    "tests/e2e/test_kinesis_ends.py",
    "tests/e2e/test_kinesis_failures.py",
    "tests/e2e/test_checkpoints.py",
    "tests/e2e/test_made_functions.py",
    "tests/e2e/test_stopping.py",
    "tests/e2e/test_replicas_under_load.py",
    "tests/e2e/test_replicas.py",
    "tests/contract/test_openapi_lambda_api.py",
)
"""What takes longest, in this order. Were it begun last, one worker would run it and the others have nothing to do."""
FOLDERS: Final = ("tests/e2e/", "tests/contract/", "tests/faults/", "tests/pollers/", "tests/unit/")
"""The order of everything else."""


def unit_of(nodeid: str) -> str:
    """The unit of work that a test belongs to: a worker runs it from its first test to its last."""
    return LOCALSTACK if USES_LOCALSTACK.search(nodeid) else nodeid.partition("::")[0]


def place(nodeid: str) -> tuple[int, int]:
    """Sorted by this, the longest units come first. Those of one folder keep their order."""
    unit = unit_of(nodeid)
    folder = next((at for at, name in enumerate(FOLDERS) if unit.startswith(name)), len(FOLDERS))
    return (FIRST.index(unit), 0) if unit in FIRST else (len(FIRST), folder)


class ByUnit(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives each worker the next unit as soon as it has nearly finished its last one."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def scheduler(config: pytest.Config, log: Producer) -> ByUnit:
    """For xdist's hook ``pytest_xdist_make_scheduler``. The order is that of :func:`place`, not by the number of tests."""
    config.option.loadscopereorder = False
    return ByUnit(config, log)
