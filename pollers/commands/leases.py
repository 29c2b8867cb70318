"""``headrace leases``: who reads which shard, where replicas share streams."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import orjson

from config.options.spelling import suggestion
from pollers.aws.api import StartAt
from pollers.commands.checkpoint_lines import beginning, columns, done_upto
from pollers.commands.checkpoints import EXIT_FAILED
from pollers.commands.configuration import EXIT_UNUSABLE, load_or_exit, stream_mappings
from pollers.commands.lease_tables import SCHEDULES, SIGN_SHARE, lease_document, observe_tables
from pollers.storage.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.models import Config
    from pollers.leases.inspection import Observed


@click.group("leases")
def command() -> None:
    """Show who reads which shard (checkpoints in DynamoDB)."""


@command.command("show")
@click.argument("config", type=click.Path(path_type=Path), default=Path("headrace.yaml"))
@click.argument("mapping", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def show(config: Path, mapping: str | None, as_json: bool) -> None:
    """Show who reads which shard of every stream mapping of CONFIG, and who runs which schedule; or of MAPPING alone.

    Looks at the lease tables for some seconds, because an owner is alive only if it writes; changes nothing.
    """
    loaded = load_or_exit(config).config
    if loaded.runtime.sqlite_path is not None:
        _refuse(
            f"checkpoints are in {loaded.runtime.checkpoints}, which one process owns: leases are in dynamodb:TABLE"
        )
    names = _names(loaded, mapping)
    if mapping is None and loaded.schedules:
        names.append(SCHEDULES)
    try:
        found = observe_tables(loaded, names)
    except StoreError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_FAILED)
    schedules = found.pop(SCHEDULES, None)
    if as_json:
        document = _document(loaded, found) | _schedules_document(loaded, schedules)
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return
    for line in [*_lines(loaded, found), *_schedules_lines(loaded, schedules)]:
        click.echo(line)


def _names(config: Config, mapping: str | None) -> list[str]:
    streams = stream_mappings(config)
    if mapping is None:
        return streams
    if mapping not in streams:
        what = "reads no stream" if mapping in config.event_source_mappings else "is not in the configuration"
        _refuse(f"{mapping} {what}{suggestion(mapping, streams)}")
    return [mapping]


def _schedules_document(config: Config, leases: list[Observed] | None) -> dict[str, object]:
    if leases is None:
        return {}
    shown = [
        {
            "schedule": one.item.shard_id,
            "owner": one.item.seen.holder,
            "counter": one.item.counter,
            "last_due": _last_due(one),
            "ended": one.item.checkpoint.ended,
            "sign_seconds": one.sign_seconds and round(one.sign_seconds, 1),
        }
        for one in leases
    ]
    return {"schedules": {"table": config.runtime.schedules_table, "schedules": shown}}


def _schedules_lines(config: Config, leases: list[Observed] | None) -> Iterator[str]:
    if leases is None:
        return
    yield ""
    yield f"schedules  {config.runtime.schedules_table}"
    if not leases:
        yield "  no leases yet"
        return
    rows = [("SCHEDULE", "OWNER", "LAST SIGN", "LAST DUE", "")]
    for one in leases:
        due = _last_due(one)
        last = "" if due is None else beginning(StartAt("AT_TIMESTAMP", timestamp=due))
        ended = "nothing is due any more" if one.item.checkpoint.ended else ""
        rows.append((one.item.shard_id, *_owner(one, _watched_seconds(config)), last, ended))
    yield from columns(rows)


def _last_due(one: Observed) -> int | None:
    """The last due time that was decided, in seconds since the epoch: what stands for a checkpoint."""
    text = one.item.checkpoint.sequence_number
    return None if text is None else int(text)


def _watched_seconds(config: Config) -> float:
    return SIGN_SHARE * config.runtime.leases.failover


def _document(config: Config, found: dict[str, list[Observed]]) -> dict[str, object]:
    return {
        "mappings": [
            {
                "mapping": name,
                "table": config.runtime.lease_table(name),
                "shards": [
                    lease_document(one.item) | {"sign_seconds": one.sign_seconds and round(one.sign_seconds, 1)}
                    for one in leases
                ],
            }
            for name, leases in found.items()
        ]
    }


def _lines(config: Config, found: dict[str, list[Observed]]) -> Iterator[str]:
    for place, (name, leases) in enumerate(found.items()):
        if place:
            yield ""
        yield f"{name}  {config.runtime.lease_table(name)}"
        if not leases:
            yield "  no leases yet"
            continue
        rows = [("SHARD", "OWNER", "LAST SIGN", "DONE UP TO", "")]
        for one in leases:
            checkpoint = one.item.checkpoint
            done = "everything" if checkpoint.ended else done_upto(checkpoint)
            rows.append((one.item.shard_id, *_owner(one, _watched_seconds(config)), done, _remark(one, name)))
        yield from columns(rows)


def _owner(one: Observed, watched_seconds: float) -> tuple[str, str]:
    holder = one.item.seen.holder
    if holder is None:
        return ("", "") if one.item.checkpoint.ended else ("nobody", "")
    if one.sign_seconds is None:
        return holder, f"none in {watched_seconds:g} s"
    return holder, f"{one.sign_seconds:.1f} s ago"


def _remark(one: Observed, mapping: str) -> str:
    seen, stamp = one.item.seen, one.item.own.stamp
    remarks = []
    if stamp is not None and stamp.mapping != mapping:
        remarks.append(f"of the mapping {stamp.mapping}, which has this table")
    if seen.asked is not None:
        remarks.append(f"asked for by {seen.asked.by}")
    if seen.leaving is not None and seen.leaving == seen.owner:
        remarks.append("its owner is leaving")
    if seen.given:
        remarks.append("given to it, and not taken yet")
    if seen.checkpoint_owner is not None:
        remarks.append(f"being handed over to {seen.owner}")
    if one.item.own.reset:
        remarks.append("reset")
    return ", ".join(remarks)


def _refuse(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_UNUSABLE)
