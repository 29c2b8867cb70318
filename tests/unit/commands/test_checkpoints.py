"""``headrace checkpoints show`` and ``reset``, on files as the store writes them."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner, Result

from pollers.aws.api import StartAt
from pollers.checkpoints import LanesDone, OpenWindow, ShardCheckpoint, SqliteStore
from pollers.commands import checkpoints as commands
from pollers.commands.checkpoints import command

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.checkpoints import Opened

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
IDENTITY = f"{STREAM}@1700000000"
NUMBER = "49590338271490256608559692538361571095921575989136588898"


class Past:
    """A clock that is an hour slow: what was written with it is an hour old."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time() - 3605


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two stream mappings and a queue's."""
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    stream = {"event_source_arn": STREAM, "function_name": "work", "starting_position": "TRIM_HORIZON"}
    document = {
        "functions": {"work": {"runtime": "in_process", "code": ".", "handler": "app.handler"}},
        "event_source_mappings": {
            "clicks": stream,
            "audit": stream | {"event_source_arn": f"{STREAM}-audit"},
            "orders": {"event_source_arn": "arn:aws:sqs:us-east-1:000000000000:orders", "function_name": "work"},
        },
    }
    path = tmp_path / "headrace.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def file_of(config: Path) -> Path:
    """The checkpoint file that the configuration means by default."""
    return config.parent / ".headrace" / "checkpoints.db"


def headrace(*arguments: str | Path, answer: str | None = None, terminal: bool = False) -> Result:
    """Run ``headrace checkpoints``."""
    with pytest.MonkeyPatch.context() as patch:
        if terminal:
            patch.setattr(commands, "_on_terminal", lambda: True)
        return CliRunner().invoke(command, [str(argument) for argument in arguments], input=answer)


async def filled(config: Path) -> None:
    """A file with progress of both mappings."""
    async with SqliteStore(file_of(config), clock=Past()) as store:
        clicks = (await store.open("clicks", IDENTITY)).checkpoints
        window = OpenWindow(60, 120, b'{"secret":1}')
        await clicks.pin(
            {
                "shardId-000000000000": ShardCheckpoint(NUMBER, ended=True),
                "shardId-000000000001": ShardCheckpoint("7", window=window, parents=("shardId-000000000000",)),
                "shardId-000000000002": ShardCheckpoint(start=StartAt("AT_TIMESTAMP", timestamp=1_700_000_000)),
            }
        )
        await (await store.open("audit", IDENTITY)).checkpoints.pin({"shardId-000000000000": ShardCheckpoint("3")})


async def reopened(config: Path, mapping: str = "clicks") -> Opened:
    """What the mapping finds when it is next started."""
    async with SqliteStore(file_of(config)) as store:
        return await store.open(mapping, IDENTITY)


async def test_show_says_how_far_each_shard_is_done(config: Path) -> None:
    """A line a shard: done up to where, ended or not, and how long ago that was written."""
    await filled(config)
    shown = headrace("show", config, "clicks")
    assert shown.exit_code == 0
    assert shown.output == (
        f"{file_of(config)}\n"
        "\n"
        f"clicks  {IDENTITY}\n"
        "  SHARD                 DONE UP TO                                                ENDED  AGE\n"
        f"  shardId-000000000000  {NUMBER}  yes    1 h\n"
        "  shardId-000000000001  7                                                         no     1 h\n"
        "  shardId-000000000002  nothing, from 2023-11-14T22:13:20Z                        no     1 h\n"
    )


async def test_show_prints_every_mapping_as_json(config: Path) -> None:
    """For programs; a window's bounds, never the function's state."""
    await filled(config)
    shown = headrace("show", config, "--json")
    document = json.loads(shown.output)
    assert [one["mapping"] for one in document["mappings"]] == ["audit", "clicks"]
    assert document["owner_pid"] is None
    shard = document["mappings"][1]["shards"][1]
    assert shard.pop("updated_at") == pytest.approx(time.time() - 3605, abs=60)
    assert shard == {
        "shard": "shardId-000000000001",
        "sequence_number": "7",
        "start": {"kind": "TRIM_HORIZON", "sequence_number": None, "timestamp": None},
        "ended": False,
        "parents": ["shardId-000000000000"],
        "window": {"start": 60.0, "end": 120.0},
        "done_above": [],
        "damaged": False,
    }
    assert "secret" not in shown.output


async def test_show_works_while_headrace_runs(config: Path) -> None:
    """It sees what has been written, and says who is writing."""
    async with SqliteStore(file_of(config)) as store:
        await (await store.open("clicks", IDENTITY)).checkpoints.pin({"shardId-000000000000": ShardCheckpoint("41")})
        shown = headrace("show", config)
    assert shown.exit_code == 0
    assert "(in use by process " in shown.output
    assert " 41 " in shown.output


def test_show_makes_no_file(config: Path) -> None:
    """Looking changes nothing."""
    shown = headrace("show", config)
    assert (shown.exit_code, shown.output.splitlines()[1]) == (0, "no checkpoints yet")
    assert not file_of(config).parent.exists()


def test_show_takes_a_file_that_is_being_created_for_an_empty_one(config: Path) -> None:
    """A Headrace that has only just started, or was killed just then, is no fault of the file."""
    file_of(config).parent.mkdir()
    file_of(config).touch()
    result = headrace("show", config)
    assert result.exit_code == 0
    assert "no checkpoints yet" in result.output


async def test_show_reports_a_damaged_file(config: Path) -> None:
    """With exit code 1, and the file left alone."""
    file_of(config).parent.mkdir()
    file_of(config).write_bytes(b"scribble" * 1000)
    shown = headrace("show", config)
    assert shown.exit_code == 1
    assert "damaged" in shown.output
    assert file_of(config).read_bytes() == b"scribble" * 1000


async def test_show_marks_what_is_damaged_and_reset_mends_it(config: Path) -> None:
    """The damaged mapping is named, its row marked, the other one goes on."""
    await filled(config)
    with closing(sqlite3.connect(file_of(config), isolation_level=None)) as connection:
        connection.execute("UPDATE shards SET sequence_number = '8' WHERE sequence_number = '7'")
    shown = headrace("show", config)
    assert shown.exit_code == 1
    assert "damaged: the row of shard shardId-000000000001 is not as it was written" in shown.output
    assert any("shardId-000000000001" in line and line.endswith("DAMAGED") for line in shown.output.splitlines())
    assert headrace("reset", config, "clicks", "--yes").exit_code == 0
    assert headrace("show", config).exit_code == 0
    assert (await reopened(config)).fresh
    assert not (await reopened(config, "audit")).fresh


async def test_reset_of_everything_mends_a_file_that_cannot_be_read(config: Path) -> None:
    """One mapping alone is refused: nobody knows what the others had."""
    file_of(config).parent.mkdir()
    file_of(config).write_bytes(b"scribble" * 1000)
    one = headrace("reset", config, "clicks", "--yes")
    assert (one.exit_code, "leave MAPPING out" in one.output) == (1, True)
    assert headrace("reset", config, "--yes").exit_code == 0
    assert (await reopened(config)).fresh


async def test_show_leaves_out_the_middle_of_long_positions(config: Path) -> None:
    """Of what is done and of where a shard begins; the JSON document has all of it."""
    token = "0163eeb6e7" + "0123456789abcdef" * 15 + "41e1"
    start = StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=token)
    kept = {"a": ShardCheckpoint(token), "b": ShardCheckpoint(start=start), "c": ShardCheckpoint(NUMBER)}
    async with SqliteStore(file_of(config)) as store:
        await (await store.open("clicks", IDENTITY)).checkpoints.pin(kept)

    shown = headrace("show", config).output
    short = f"{token[:31]}…{token[-31:]}"
    lines = {line.split()[0]: line for line in shown.splitlines() if line.startswith("  ")}
    assert f" {short} " in lines["a"]
    assert f" nothing, from behind {short} " in lines["b"]
    assert f" {NUMBER} " in lines["c"]
    assert token not in shown

    (clicks,) = json.loads(headrace("show", config, "--json").output)["mappings"]
    assert clicks["shards"][0]["sequence_number"] == clicks["shards"][1]["start"]["sequence_number"] == token


async def test_show_says_how_many_lanes_are_further(config: Path) -> None:
    """With a parallelization factor, what is done above the number shown."""
    async with SqliteStore(file_of(config)) as store:
        checkpoints = (await store.open("clicks", IDENTITY)).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("7", ahead=(LanesDone(("9", None, "8")),))})
    assert headrace("show", config).output.splitlines()[-1].endswith("2 lanes further")
    document = json.loads(headrace("show", config, "--json").output)
    assert document["mappings"][0]["shards"][0]["done_above"] == [["9", None, "8"]]


async def test_reset_makes_a_mapping_start_as_configured(config: Path) -> None:
    """And leaves the other mapping's checkpoints alone."""
    await filled(config)
    done = headrace("reset", config, "clicks", "--yes")
    assert (done.exit_code, done.output) == (
        0,
        "clicks: begins at its configured starting position when it is next started\n",
    )
    clicks, audit = await reopened(config), await reopened(config, "audit")
    assert (clicks.fresh, clicks.start, clicks.previous_identity) == (True, None, None)
    assert not audit.fresh


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("TRIM_HORIZON", StartAt("TRIM_HORIZON")),
        ("latest", StartAt("LATEST")),
        ("2023-11-14T22:13:20Z", StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.0)),
        ("2023-11-14T23:13:20.5+01:00", StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.5)),
        ("2023-11-14 22:13:20", StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.0)),
        ("1700000000.25", StartAt("AT_TIMESTAMP", timestamp=1_700_000_000.25)),
    ],
)
async def test_reset_to_a_position_is_what_the_next_start_is_told(config: Path, text: str, start: StartAt) -> None:
    """Until the mapping has been pinned there, however often it is opened; then it is used up."""
    await filled(config)
    assert headrace("reset", config, "clicks", "--to", text, "--yes").exit_code == 0
    assert (await reopened(config)).start == start
    async with SqliteStore(file_of(config)) as store:
        opened = await store.open("clicks", IDENTITY)
        assert opened.start == start
        await opened.checkpoints.pin({"shardId-000000000000": ShardCheckpoint(start=start)})
    assert (await reopened(config)).start is None


async def test_show_says_what_a_reset_asked_for(config: Path) -> None:
    """Before the mapping is started again there is nothing else to say of it."""
    await filled(config)
    headrace("reset", config, "clicks", "--to", "LATEST", "--yes")
    shown = headrace("show", config, "clicks")
    assert "clicks  not started\n  begins at LATEST when it is next started\n" in shown.output


async def test_reset_without_a_mapping_resets_every_stream_mapping(config: Path) -> None:
    """Queues have no checkpoints."""
    await filled(config)
    done = headrace("reset", config, "--yes")
    assert done.exit_code == 0
    assert [line.split(":")[0] for line in done.output.splitlines()] == ["audit", "clicks"]
    assert (await reopened(config)).fresh
    assert (await reopened(config, "audit")).fresh


async def test_reset_is_refused_while_headrace_runs(config: Path) -> None:
    """With the owner's pid, before anything is asked, and nothing is changed."""
    await filled(config)
    async with SqliteStore(file_of(config)):
        refused = headrace("reset", config, "clicks", "--yes")
    assert refused.exit_code == 1
    assert "is in use by process " in refused.output
    assert not (await reopened(config)).fresh


async def test_reset_asks_and_takes_no_for_an_answer(config: Path) -> None:
    """The question says what will be delivered again."""
    await filled(config)
    refused = headrace("reset", config, "clicks", answer="n\n", terminal=True)
    assert refused.exit_code == 1
    assert "clicks: 3 checkpoints; would begin at its configured starting position" in refused.output
    assert "delivered again" in refused.output
    assert not (await reopened(config)).fresh


async def test_reset_asks_and_takes_yes_for_an_answer(config: Path) -> None:
    """LATEST skips, and the question says so."""
    await filled(config)
    done = headrace("reset", config, "clicks", "--to", "LATEST", answer="y\n", terminal=True)
    assert done.exit_code == 0
    assert "would be skipped" in done.output
    assert (await reopened(config)).fresh


async def test_reset_without_a_terminal_needs_yes(config: Path) -> None:
    """A script is not left hanging at a question."""
    await filled(config)
    refused = headrace("reset", config, "clicks")
    assert refused.exit_code == 2
    assert "--yes" in refused.output
    assert not (await reopened(config)).fresh


async def test_a_mapping_that_has_left_the_configuration_can_be_reset(config: Path) -> None:
    """The file remembers it."""
    async with SqliteStore(file_of(config)) as store:
        await (await store.open("renamed", IDENTITY)).checkpoints.pin({})
    assert headrace("reset", config, "renamed", "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("clikcs",), "there is no mapping 'clikcs' (did you mean 'clicks'?)"),
        (("orders",), "orders reads a queue: only stream mappings have checkpoints"),
        (("clicks", "--to", "yesterday"), "'yesterday' is not TRIM_HORIZON, LATEST"),
        (("clicks", "--to", "2999-01-01"), "is in the future"),
        (("clicks", "--to", "1700000000000"), "or seconds since the epoch"),
        (("clicks", "--to", "nan"), "'nan' is not TRIM_HORIZON, LATEST"),
    ],
)
def test_unusable_arguments_end_with_two(config: Path, arguments: tuple[str, ...], message: str) -> None:
    """And say what would be right."""
    refused = headrace("reset", config, *arguments, "--yes")
    assert refused.exit_code == 2
    assert message in refused.output
