"""``headrace leases show`` where there is no table to look at; with tables it is run end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from click.testing import CliRunner

from pollers.commands.leases import command

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"


def configured(folder: Path, checkpoints: str) -> str:
    """A configuration with a stream's mapping and a queue's."""
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    path = folder / "headrace.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "runtime": {"checkpoints": checkpoints},
                "functions": {"work": {"runtime": "in_process", "code": ".", "handler": "app.handler"}},
                "event_source_mappings": {
                    "clicks": {
                        "event_source_arn": STREAM,
                        "function_name": "work",
                        "starting_position": "TRIM_HORIZON",
                    },
                    "orders": {
                        "event_source_arn": "arn:aws:sqs:us-east-1:000000000000:orders",
                        "function_name": "work",
                    },
                },
            }
        )
    )
    return str(path)


def test_checkpoints_in_a_file_have_no_leases(tmp_path: Path) -> None:
    """One process owns it: there is nothing to tell."""
    done = CliRunner().invoke(command, ["show", configured(tmp_path, "sqlite:x.db")])
    assert done.exit_code == 2
    assert "which one process owns: leases are in dynamodb:TABLE" in done.stderr


def test_a_queue_has_no_leases(tmp_path: Path) -> None:
    """And a mapping that is not there is told, with what may have been meant."""
    path = configured(tmp_path, "dynamodb:leases-{mapping}")
    queue = CliRunner().invoke(command, ["show", path, "orders"])
    assert (queue.exit_code, queue.stderr) == (2, "orders reads no stream\n")
    missing = CliRunner().invoke(command, ["show", path, "clickz"])
    assert missing.exit_code == 2
    assert "clickz is not in the configuration" in missing.stderr
    assert "clicks" in missing.stderr
