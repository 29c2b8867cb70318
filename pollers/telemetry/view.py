"""The live view in a terminal: one line for each mapping. Shared by ``headrace demo`` and ``headrace top``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from pollers.telemetry.durations import age

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE_STYLES = {
    "running": "green",
    "paused": "yellow",
    "disabled": "dim",
    "backing off": "bold red",
    "starting": "cyan",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one mapping. ``depth`` is the queue's, ``iterator_age`` (seconds) and ``shards`` are a stream's."""

    name: str
    state: str
    received: int
    done: int
    in_flight: int
    batches_per_second: float
    failures: int
    depth: int | None = None
    iterator_age: float | None = None
    shards: str | None = None
    sentence: str = ""


def table(rows: Sequence[Row], *, title: str | None = None, sentences: bool = False) -> Table:
    """The rows as a table."""
    view = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    view.add_column("mapping", style="bold")
    view.add_column("state")
    for name in ("received", "done", "in flight", "batches/s", "failures", "depth", "age", "shards"):
        view.add_column(name, justify="right")
    if sentences:
        view.add_column("", style="dim", overflow="fold")
    for row in rows:
        view.add_row(*_cells(row), *([row.sentence] if sentences else []))
    return view


def _cells(row: Row) -> list[Text | str]:
    return [
        row.name,
        Text(row.state, style=STATE_STYLES.get(row.state, "")),
        f"{row.received:,}",
        f"{row.done:,}",
        f"{row.in_flight:,}",
        f"{row.batches_per_second:,.1f}",
        Text(f"{row.failures:,}", style="red" if row.failures else ""),
        "" if row.depth is None else f"{row.depth:,}",
        "" if row.iterator_age is None else age(row.iterator_age),
        row.shards or "",
    ]


def rows_of(snapshot: dict[str, Any]) -> list[Row]:
    """The rows of a :meth:`pollers.telemetry.status.Status.snapshot`."""
    return [_row(mapping) for mapping in snapshot["mappings"]]


def _row(mapping: dict[str, Any]) -> Row:
    ledger, shards = mapping["ledger"], mapping["shards"]
    ended = sum(1 for shard in shards if shard["ended"])
    return Row(
        mapping["name"],
        mapping["state"],
        received=ledger["received"],
        done=ledger["deleted"] + ledger["checkpointed"] + ledger["discarded"],
        in_flight=ledger["in_flight"],
        batches_per_second=mapping["batches_per_second"],
        failures=ledger["failed"],
        depth=mapping["depth"]["visible"] if mapping["depth"] else None,
        iterator_age=mapping["iterator_age_seconds"],
        shards=f"{len(shards) - ended} of {len(shards)}" if shards else None,
        sentence=mapping["sentence"],
    )
