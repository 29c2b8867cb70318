"""The live view in a terminal: one line for each mapping. Shared by ``headrace demo`` and ``headrace top``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
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

COLUMNS = (
    *("mapping", "state", "received", "done", "in flight", "batch/s", "failures"),
    *("depth", "age", "shards"),
)
OPTIONAL = frozenset({"depth", "age", "shards"})
"""Queues have no shards, streams no depth."""


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


def table(rows: Sequence[Row], *, title: str | None = None) -> Table:
    """The rows as a table. Columns that are empty in all rows are left out; on a narrow terminal, names are cut first."""
    view = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title_justify="left", padding=0)
    view.add_column("mapping", style="bold", overflow="ellipsis", min_width=7)
    view.add_column("state", no_wrap=True)
    cells = [_cells(row) for row in rows]
    used = [name not in OPTIONAL or any(row[place] for row in cells) for place, name in enumerate(COLUMNS)]
    for name in list(compress(COLUMNS, used))[2:]:
        view.add_column(name, justify="right", no_wrap=True)
    for row in cells:
        view.add_row(*compress(row, used))
    return view


def explained(rows: Sequence[Row]) -> Group:
    """The rows as a table, and below it a sentence for each mapping."""
    return Group(table(rows), *(Text.assemble((row.name, "bold"), ": ", row.sentence) for row in rows))


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
    """The rows of a :meth:`pollers.status.snapshot.Status.snapshot`."""
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
        sentence=_named(mapping),
    )


def _named(mapping: dict[str, Any]) -> str:
    """Its sentence. The name of one that the API made is a UUID, which says nothing to a reader."""
    sentence: str = mapping["sentence"]
    return f"({mapping['source']} to {mapping['function']}) {sentence}" if mapping.get("made_by_api") else sentence


def waiting_lines(snapshot: dict[str, Any]) -> list[Text]:
    """A line for each mapping that the API made and that waits."""
    return [
        Text.assemble(
            (one["name"], "bold"), f": ({one['source']} to {one['function']}) waits: ", (one["reason"], "yellow")
        )
        for one in snapshot.get("waiting_mappings", ())
    ]
