"""Checkpoints in SQLite where several replicas run, or may: said with file and line by check --online and by run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from config import load
from pollers.aws.findings import Level
from pollers.commands import check_online
from pollers.commands.run import warn_of_unshared
from pollers.commands.unshared import SERVICE_ACCOUNT, Surroundings, surroundings, unshared

if TYPE_CHECKING:
    from pathlib import Path

    from config import Loaded

FUNCTIONS = "functions:\n  f: {runtime: http, url: 'http://127.0.0.1:9/'}\n"
STREAM = (
    "event_source_mappings:\n  clicks: {event_source_arn: 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks', "
    "function_name: f, starting_position: LATEST}\n"
)
QUEUE = "event_source_mappings:\n  orders: {event_source_arn: 'arn:aws:sqs:us-east-1:000000000000:orders', function_name: f}\n"
SCHEDULE = "schedules:\n  nightly: {schedule_expression: rate(1 day), function_name: f}\n"
SQLITE = "runtime:\n  shutdown_grace: 5\n  checkpoints: sqlite:c.db\n"
SEVERAL = Surroundings(in_kubernetes=True, replicas=3)
UNKNOWN = Surroundings(in_kubernetes=True, replicas=None)


def loaded(folder: Path, *parts: str) -> Loaded:
    (folder / "headrace.yaml").write_text("".join(parts))
    return load(folder / "headrace.yaml")


def test_replicas_that_would_double_a_stream_are_said_with_file_and_line(tmp_path: Path) -> None:
    """Which mapping, how many replicas, who says so, and what to set."""
    found = unshared(loaded(tmp_path, FUNCTIONS, STREAM, SQLITE), SEVERAL)
    assert found is not None
    assert found.level is Level.NOTE
    assert found.what == (
        f"{tmp_path}/headrace.yaml:7: runtime.checkpoints: found sqlite:{tmp_path}/c.db with 3 replicas (HEADRACE_REPLICAS): "
        "each processes every record of clicks"
    )
    assert found.fix == "set runtime.checkpoints: dynamodb:TABLE, or run one replica"


def test_where_nobody_says_how_many_replicas_there_are_kubernetes_is_enough(tmp_path: Path) -> None:
    """A Deployment is scaled by one command, and a pod without a volume forgets."""
    found = unshared(loaded(tmp_path, FUNCTIONS, STREAM, SCHEDULE), UNKNOWN)
    assert found is not None
    assert (
        "under Kubernetes: a second replica also processes every record of clicks and runs every due time of nightly"
        in (found.what)
    )
    assert "HEADRACE_REPLICAS=1" in found.fix


@pytest.mark.parametrize(
    "around",
    [
        Surroundings(in_kubernetes=True, replicas=1),
        Surroundings(in_kubernetes=False, replicas=None),
        Surroundings(in_kubernetes=True, replicas=0),
    ],
)
def test_one_replica_is_nothing_to_warn_of(around: Surroundings, tmp_path: Path) -> None:
    """Nor is a process that runs elsewhere."""
    assert unshared(loaded(tmp_path, FUNCTIONS, STREAM, SQLITE), around) is None


def test_queues_are_shared_by_sqs(tmp_path: Path) -> None:
    """And a mapping that is disabled reads nothing; several names are cut."""
    assert unshared(loaded(tmp_path, FUNCTIONS, QUEUE, SQLITE), SEVERAL) is None
    disabled = STREAM.replace("LATEST}", "LATEST, enabled: false}")
    assert unshared(loaded(tmp_path, FUNCTIONS, disabled), SEVERAL) is None
    line = STREAM.splitlines()[1]
    many = "".join(f"{line.replace('clicks', f'clicks-{number}')}\n" for number in range(8))
    found = unshared(loaded(tmp_path, FUNCTIONS, "event_source_mappings:\n", many), SEVERAL)
    assert found is not None
    assert found.what.endswith("clicks-0, clicks-1, clicks-2, clicks-3, clicks-4 and 3 more")


def test_surroundings_are_read_from_the_environment_and_the_file_system(tmp_path: Path) -> None:
    """A mounted service account, or what Kubernetes sets where none is mounted. A count that is none says nothing."""
    assert surroundings({}, tmp_path) == Surroundings(in_kubernetes=False, replicas=None)
    assert surroundings({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HEADRACE_REPLICAS": " 4 "}, tmp_path) == Surroundings(
        in_kubernetes=True, replicas=4
    )
    for no_count in ("", "many", "-2", "2.5", "٣", "9" * 5000):
        assert surroundings({"HEADRACE_REPLICAS": no_count}, tmp_path).replicas is None
    (tmp_path / SERVICE_ACCOUNT).mkdir(parents=True)
    assert surroundings({}, tmp_path).in_kubernetes


def test_run_warns_once_at_its_start(tmp_path: Path) -> None:
    """The same words as the check."""
    (tmp_path / SERVICE_ACCOUNT).mkdir(parents=True)
    configuration = loaded(tmp_path, FUNCTIONS, STREAM, SQLITE)
    with capture_logs() as logs:
        warn_of_unshared(configuration, {"HEADRACE_REPLICAS": "3"}, tmp_path)
        warn_of_unshared(configuration, {"HEADRACE_REPLICAS": "1"}, tmp_path)
    [line] = logs
    found = unshared(configuration, SEVERAL)
    assert found is not None
    assert (line["log_level"], line["problem"], line["fix"]) == ("warning", found.what, found.fix)


def test_the_check_prints_it_and_it_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mapping can do its work, so the exit code stays 0. Nothing is asked of AWS here."""

    async def nothing(_: object) -> list[object]:
        return []

    monkeypatch.setattr(check_online, "findings", nothing)
    monkeypatch.setenv("HEADRACE_REPLICAS", "3")
    assert check_online.check_online(loaded(tmp_path, FUNCTIONS, STREAM, SQLITE)) == 0
    told = capsys.readouterr().out
    assert f"note  runtime: {tmp_path}/headrace.yaml:7: runtime.checkpoints: found sqlite:" in told
    assert "; set runtime.checkpoints: dynamodb:TABLE, or run one replica\n" in told
