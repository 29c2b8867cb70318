"""``headrace leases``: who reads which shard, where replicas share streams."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import orjson

from config.options.spelling import suggestion
from pollers.commands.checkpoint_lines import columns, done_upto
from pollers.commands.checkpoints import EXIT_FAILED
from pollers.commands.configuration import EXIT_UNUSABLE, load_or_exit
from pollers.commands.lease_tables import SIGN_SHARE, lease_document, observe_tables
from pollers.sources.registry import keeps_checkpoints
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
    """Show who reads which shard of every stream mapping of CONFIG, or of MAPPING.

    Looks at the lease tables for some seconds, because an owner is alive only if it writes; changes nothing.
    """
    loaded = load_or_exit(config).config
    if loaded.runtime.sqlite_path is not None:
        _refuse(
            f"checkpoints are in {loaded.runtime.checkpoints}, which one process owns: leases are in dynamodb:TABLE"
        )
    names = _names(loaded, mapping)
    try:
        found = observe_tables(loaded, names)
    except StoreError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_FAILED)
    if as_json:
        click.echo(orjson.dumps(_document(loaded, found), option=orjson.OPT_INDENT_2))
        return
    for line in _lines(loaded, found):
        click.echo(line)


def _names(config: Config, mapping: str | None) -> list[str]:
    streams = [name for name, one in config.event_source_mappings.items() if keeps_checkpoints(one)]
    if mapping is None:
        return streams
    if mapping not in streams:
        what = "reads no stream" if mapping in config.event_source_mappings else "is not in the configuration"
        _refuse(f"{mapping} {what}{suggestion(mapping, streams)}")
    return [mapping]


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
    watched_seconds = SIGN_SHARE * config.runtime.leases.failover
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
            rows.append((one.item.shard_id, *_owner(one, watched_seconds), done, _remark(one, name)))
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
    if seen.checkpoint_owner is not None:
        remarks.append(f"being handed over to {seen.owner}")
    if one.item.own.reset:
        remarks.append("reset")
    return ", ".join(remarks)


def _refuse(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_UNUSABLE)
