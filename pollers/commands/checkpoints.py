"""``headrace checkpoints``: how far each shard is done, and starting over."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import orjson

from config.options.spelling import suggestion
from config.sources.registry import source_of
from pollers.aws.api import StartAt
from pollers.checkpoints.inspection import FileFound, MappingFound, ShardFound, inspect, reset
from pollers.commands.checkpoint_lines import age, beginning, columns, done_upto, further
from pollers.commands.configuration import EXIT_UNUSABLE, load_or_exit, stream_mappings
from pollers.sources.registry import keeps_checkpoints
from pollers.storage.errors import StoreDamaged, StoreError
from pollers.storage.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config import Config
    from pollers.leases.items import LeaseItem

EXIT_FAILED = 1
"""The exit code for failures at run time: the file is in use, is damaged or cannot be written."""


def position(_context: click.Context, _option: click.Parameter, text: str | None) -> StartAt | None:
    """TRIM_HORIZON, LATEST, or a time: ISO 8601 (UTC unless it says otherwise) or seconds since the epoch.

    Raises click.BadParameter for what is none of these, and for a time to come.
    """
    if text is None:
        return None
    if text.upper() in ("TRIM_HORIZON", "LATEST"):
        return StartAt(text.upper())
    seconds = _seconds(text)
    if seconds is None:
        raise click.BadParameter(f"{text!r} is not TRIM_HORIZON, LATEST, an ISO 8601 time or seconds since the epoch")
    if seconds > time.time():
        raise click.BadParameter(f"{text!r} is in the future; a stream can be read from a time that has passed")
    return StartAt("AT_TIMESTAMP", timestamp=seconds)


@click.group("checkpoints")
def command() -> None:
    """Show or reset the checkpoints of stream mappings."""


@command.command("show")
@click.argument("config", type=click.Path(path_type=Path), default=Path("headrace.yaml"))
@click.argument("mapping", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def show(config: Path, mapping: str | None, as_json: bool) -> None:
    """Show how far each shard is done, for every mapping of CONFIG's checkpoint file or for MAPPING.

    Works while Headrace runs, and on a damaged file as far as it can be read: what is not as it was written is marked, and the
    exit code is 1.
    """
    loaded = load_or_exit(config).config
    path = loaded.runtime.sqlite_path
    if path is None:
        _show_tables(loaded, mapping, as_json=as_json)
        return
    file = _inspect(path)
    found = list(file.mappings)
    if mapping is not None:
        _require_known([mapping], loaded, found)
        found = [one for one in found if one.name == mapping]
    if as_json:
        click.echo(orjson.dumps(_document(path, file, found), option=orjson.OPT_INDENT_2))
    else:
        for line in _table(path, file, found, time.time()):
            click.echo(line)
    if file.faults or any(one.faults for one in found):
        sys.exit(EXIT_FAILED)


@command.command("reset")
@click.argument("config", type=click.Path(path_type=Path), default=Path("headrace.yaml"))
@click.argument("mapping", required=False)
@click.option(
    "--to",
    callback=position,
    metavar="TRIM_HORIZON|LATEST|TIMESTAMP",
    help="Where to begin; the mapping's own starting position if not given. A time is ISO 8601 or seconds since the epoch.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_command(config: Path, mapping: str | None, to: StartAt | None, yes: bool) -> None:
    """Forget how far MAPPING (every stream mapping of CONFIG if not given) is done.

    When it is next started it reads every shard of its stream from the position given. LATEST is the moment of that start:
    records written before it are skipped. Refused while Headrace runs on the same file. A damaged file is copied aside and made
    anew from what is sound in it.
    """
    loaded = load_or_exit(config).config
    path = loaded.runtime.sqlite_path
    if path is None:
        _reset_tables(loaded, mapping, to, yes=yes)
        return
    found = _remembered(path)
    names = [mapping] if mapping is not None else _stream_mappings(loaded)
    _require_known(names, loaded, found)
    _refuse_while_owned(path)
    if not yes:
        shards = {name: sum(len(one.shards) for one in found if one.name == name) for name in names}
        _ask(shards, to)
    try:
        reset(path, names, to, everything=mapping is None)
    except StoreError as error:
        _fail(str(error))
    for name in names:
        click.echo(f"{name}: begins at {beginning(to)} when it is next started")


def _show_tables(config: Config, mapping: str | None, *, as_json: bool) -> None:
    from pollers.commands.lease_tables import lease_document, show_tables

    names = _of_tables(config, mapping)
    try:
        found = show_tables(config, names)
    except StoreError as error:
        _fail(str(error))
    if as_json:
        mappings = [
            {
                "mapping": name,
                "table": config.runtime.lease_table(name),
                "shards": [lease_document(one) for one in items],
            }
            for name, items in found.items()
        ]
        click.echo(orjson.dumps({"mappings": mappings}, option=orjson.OPT_INDENT_2))
        return
    for place, (name, items) in enumerate(found.items()):
        if place:
            click.echo()
        identity = next((one.own.stamp.identity for one in items if one.own.stamp), "not started")
        click.echo(f"{name}  {identity if items else 'not started'}")
        click.echo(f"  table {config.runtime.lease_table(name)}")
        for line in _table_columns(items):
            click.echo(line)


def _table_columns(items: list[LeaseItem]) -> Iterator[str]:
    if items and all(one.own.reset for one in items):
        yield f"  begins at {beginning(items[0].own.start)} when it is next started"
    elif items:
        rows = [("SHARD", "DONE UP TO", "ENDED", "OWNER", "")]
        for one in items:
            checkpoint = one.checkpoint
            ended = "yes" if checkpoint.ended else "no"
            rows.append((one.shard_id, done_upto(checkpoint), ended, one.seen.holder or "", further(checkpoint)))
        yield from columns(rows)


def _reset_tables(config: Config, mapping: str | None, to: StartAt | None, *, yes: bool) -> None:
    from pollers.commands.lease_tables import reset_tables, show_tables

    names = _of_tables(config, mapping)
    if not names:
        _refuse("the configuration has no stream mapping: there are no checkpoints to reset")
    try:
        if not yes:
            _ask({name: len(items) for name, items in show_tables(config, names).items()}, to)
        had = reset_tables(config, names, to)
    except StoreError as error:
        _fail(str(error))
    for name, count in had.items():
        if count:
            click.echo(f"{name}: begins at {beginning(to)} when it is next started")
        else:
            click.echo(f"{name}: has not started yet, and begins at {beginning(None)}")


def _of_tables(config: Config, mapping: str | None) -> list[str]:
    """The mappings whose tables are meant. Those that the configuration does not have are not known here."""
    if mapping is not None:
        _require_known([mapping], config, [])
        return [mapping]
    return stream_mappings(config)


def _inspect(path: Path) -> FileFound:
    try:
        return inspect(path)
    except StoreError as error:
        _fail(str(error))


def _remembered(path: Path) -> list[MappingFound]:
    """The mappings that can be read, also in a damaged file."""
    try:
        return list(inspect(path).mappings)
    except StoreDamaged:
        return []
    except StoreError as error:
        _fail(str(error))


def _stream_mappings(config: Config) -> list[str]:
    names = stream_mappings(config)
    if not names:
        _refuse("the configuration has no stream mapping: there are no checkpoints to reset")
    return names


def _require_known(names: list[str], config: Config, found: list[MappingFound]) -> None:
    """Each name must be a stream mapping's, or one that the file remembers."""
    remembered = {one.name for one in found}
    for name in names:
        one = config.event_source_mappings.get(name)
        if name in remembered or (one is not None and keeps_checkpoints(one)):
            continue
        if one is not None:
            noun = source_of(one.event_source_arn).kind.family.noun
            _refuse(f"{name} reads a {noun}: only stream mappings have checkpoints")
        known = [*config.event_source_mappings, *remembered]
        _refuse(f"there is no mapping {name!r}{suggestion(name, known)}")


def _refuse_while_owned(path: Path) -> None:
    """Refuse before the user is asked. The lock itself decides again at the write."""
    owner = owner_of(path)
    if owner is not None:
        _fail(f"{path} is in use by {owner}: stop that Headrace first")


def _ask(shards_of: dict[str, int], to: StartAt | None) -> None:
    if not _on_terminal():
        _refuse("nobody can be asked, since the input is not a terminal: give --yes")
    for name, shards in shards_of.items():
        click.echo(f"{name}: {shards} checkpoint{'' if shards == 1 else 's'}; would begin at {beginning(to)}")
    if to is not None and to.kind == "LATEST":
        click.echo("Records that are not done by then would be skipped.")
    else:
        click.echo("Records that are done already would be delivered again.")
    if not click.confirm("Reset?"):
        click.echo("Nothing was changed.")
        sys.exit(EXIT_FAILED)


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _document(path: Path, file: FileFound, found: list[MappingFound]) -> dict[str, object]:
    """What ``--json`` prints. Times are seconds since the epoch; the state of a window is left out, its bounds are not."""
    owner = owner_of(path)
    return {
        "file": str(path),
        "owner_pid": None if owner is None else owner.pid,
        "faults": list(file.faults),
        "mappings": [
            {
                "mapping": one.name,
                "stream": one.identity,
                "reset_to": None if one.reset_to is None else asdict(one.reset_to),
                "faults": list(one.faults),
                "shards": [_shard_document(shard) for shard in one.shards],
            }
            for one in found
        ],
    }


def _shard_document(shard: ShardFound) -> dict[str, object]:
    checkpoint = shard.checkpoint
    window = checkpoint.window
    return {
        "shard": shard.shard_id,
        "sequence_number": checkpoint.sequence_number,
        "start": asdict(checkpoint.start),
        "ended": checkpoint.ended,
        "parents": list(checkpoint.parents),
        "done_above": [list(lanes.upto) for lanes in checkpoint.ahead],
        "damaged": shard.damaged,
        "window": None if window is None else {"start": window.start, "end": window.end},
        "updated_at": shard.updated_at,
    }


def _table(path: Path, file: FileFound, found: list[MappingFound], now: float) -> Iterator[str]:
    owner = owner_of(path)
    yield f"{path}" + ("" if owner is None else f" (in use by {owner})")
    for fault in file.faults:
        yield f"damaged: {fault}"
    if not found:
        yield "no checkpoints yet"
    for one in found:
        yield ""
        yield f"{one.name}  {one.identity or 'not started'}"
        for fault in one.faults:
            yield f"  damaged: {fault}"
        if one.reset_to is not None:
            yield f"  begins at {beginning(one.reset_to)} when it is next started"
        yield from _columns(one.shards, now)


def _columns(shards: tuple[ShardFound, ...], now: float) -> Iterator[str]:
    if not shards:
        return
    cells = [("SHARD", "DONE UP TO", "ENDED", "AGE", "")]
    for shard in shards:
        checkpoint = shard.checkpoint
        ended = "yes" if checkpoint.ended else "no"
        cells.append((shard.shard_id, done_upto(checkpoint), ended, age(now - shard.updated_at), _remark(shard)))
    yield from columns(cells)


def _remark(shard: ShardFound) -> str:
    """A remark on a shard: that its row is damaged, or how many lanes are ahead of the number shown."""
    if shard.damaged:
        return "DAMAGED"
    return further(shard.checkpoint)


def _seconds(text: str) -> float | None:
    """A time as seconds since the epoch, or None for what is no time."""
    try:
        return datetime.fromtimestamp(float(text), UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)


def _refuse(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_UNUSABLE)
