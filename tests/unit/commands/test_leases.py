"""``headrace leases show``, of tables that were looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pollers.checkpoints.store import ShardCheckpoint
from pollers.commands import leases
from pollers.commands.lease_tables import SCHEDULES
from pollers.leases.inspection import Observed
from pollers.leases.items import COUNTER, GIVEN, OWNER, new_item, read_lease
from pollers.leases.own_part import Stamp

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
runtime: {checkpoints: "dynamodb:app-{mapping}"}
functions: {work: {runtime: http, url: "http://127.0.0.1:1/"}}
event_source_mappings:
  clicks:
    event_source_arn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks
    function_name: work
    starting_position: TRIM_HORIZON
schedules:
  nightly: {schedule_expression: rate(1 day), function_name: work}
"""


def observed(name: str, number: str | None, owner: str | None, sign: float | None, *, given: bool = False) -> Observed:
    """A lease as it was looked at."""
    item = new_item(name, ShardCheckpoint(number), Stamp("clicks", "somewhere"))
    if owner is not None:
        item |= {OWNER: {"S": owner}} | ({GIVEN: item[COUNTER]} if given else {})
    lease = read_lease(item)
    assert lease is not None
    return Observed(lease, sign)


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is printed, line by line, without the spaces that align it."""
    (tmp_path / "headrace.yaml").write_text(CONFIG)
    found = {
        "clicks": [
            observed("shard-0", "5", "headrace/a", 0.6),
            observed("shard-1", None, "headrace/b", None, given=True),
        ],
        SCHEDULES: [observed("nightly", "1700000000", "headrace/a", 1.2)],
    }
    monkeypatch.setattr(leases, "observe_tables", lambda _config, names: {name: found[name] for name in names})
    run = CliRunner().invoke(leases.command, ["show", str(tmp_path / "headrace.yaml")])
    assert run.exit_code == 0, run.output
    return [" ".join(line.split()) for line in run.output.splitlines()]


def test_who_reads_which_shard_is_shown(shown: list[str]) -> None:
    """And who was only given one."""
    assert shown[:4] == [
        "clicks app-clicks",
        "SHARD OWNER LAST SIGN DONE UP TO",
        "shard-0 headrace/a 0.6 s ago 5",
        "shard-1 headrace/b none in 4 s nothing, from TRIM_HORIZON given to it, and not taken yet",
    ]


def test_who_runs_which_schedule_is_shown(shown: list[str]) -> None:
    """With the last due time that was decided."""
    assert shown[4:] == [
        "",
        "schedules app-schedules",
        "SCHEDULE OWNER LAST SIGN LAST DUE",
        "nightly headrace/a 1.2 s ago 2023-11-14T22:13:20Z",
    ]
