"""What the demo shows: a live view while it works, and the books at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from rich import box
from rich.console import Console, Group
from rich.live import Live as LiveDisplay
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pollers.demo.mapping_counts import MappingCounts
from pollers.invocations import FunctionBooks
from pollers.status.table import Row, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pollers.demo.books import Account
    from pollers.demo.mapping_counts import CountsSink
    from pollers.demo.world import Source
    from pollers.invocations import AsyncQueue
    from pollers.supervisor.runtime import Runtime

FRAMES_PER_SECOND = 8
LINE_SECONDS = 2.0


class Show:
    """Draws the runtime's mappings, and the functions that the queue calls, until told to end.

    A line every two seconds where there is no terminal.
    """

    def __init__(
        self, console: Console, runtime: Runtime, queue: AsyncQueue, counts: CountsSink, sources: Sequence[Source]
    ) -> None:
        self._console = console
        self._runtime = runtime
        self._queue = queue
        self._counts = counts
        self._sources = {source.mapping: source for source in sources}
        self._progress = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._progress.add_task("accounted for", total=sum(source.total for source in sources))

    async def run(self, settled: Callable[[], int]) -> None:
        """Show ``settled()`` of all events until cancelled."""
        if not self._console.is_terminal:
            await self._lines(settled)
        with LiveDisplay(console=self._console, auto_refresh=False, transient=True) as display:
            while True:
                self._progress.update(self._task, completed=settled())
                display.update(Group(table(self._rows()), self._progress), refresh=True)
                await anyio.sleep(1 / FRAMES_PER_SECOND)

    async def _lines(self, settled: Callable[[], int]) -> None:
        total = sum(source.total for source in self._sources.values())
        while True:
            await anyio.sleep(LINE_SECONDS)
            parts = [
                f"{row.name}: {row.done} done, {row.in_flight} in flight, {row.batches_per_second:.0f} batches/s"
                for row in self._rows()
            ]
            self._console.print(f"{settled()} of {total} accounted for | " + " | ".join(parts), soft_wrap=True)

    def _rows(self) -> list[Row]:
        return [
            self._row(name) if source.function is None else self._queue_row(name, source.function)
            for name, source in self._sources.items()
        ]

    def _queue_row(self, name: str, function: str) -> Row:
        """A function that the asynchronous queue calls: its events are received when they are accepted."""
        kept, now = self._queue.snapshot().functions.get(function, FunctionBooks()), anyio.current_time()
        counts = self._counts.mappings.setdefault(name, MappingCounts())
        counts.recent.extend([now] * (kept.attempts - counts.batches))
        counts.batches = kept.attempts
        return Row(
            name,
            "running",
            received=kept.accepted,
            done=kept.succeeded + kept.failed + kept.dropped,
            in_flight=kept.running,
            batches_per_second=counts.batches_per_second(now),
            failures=kept.errors,
            depth=kept.queued - kept.running,
        )

    def _row(self, name: str) -> Row:
        runner, counts = self._runtime.mappings[name], self._counts.mappings.get(name, MappingCounts())
        open_shards = f"{len(counts.shards - counts.ended)} of {len(counts.shards)}" if counts.shards else None
        return Row(
            name,
            runner.state.value,
            received=runner.ledger.received,
            done=counts.done,
            in_flight=runner.ledger.in_flight,
            batches_per_second=counts.batches_per_second(anyio.current_time()),
            failures=runner.ledger.failed,
            depth=self._sources[name].depth,
            iterator_age=counts.iterator_age,
            shards=open_shards,
        )


def books(accounts: Sequence[Account], runtime: Runtime) -> Table:
    """The closing table: what the functions and dead-letter queues have (sent to again) beside Headrace's own ledger."""
    view = _table(
        "The books", "mapping", "sent", "handled", "dead", "poison", "again", "received", "returned", "expired"
    )
    for account in accounts:
        figures = [account.sent, account.handled, account.dead, account.poison, account.again]
        if account.mapping in runtime.mappings:
            ledger = runtime.mappings[account.mapping].ledger
            figures += [ledger.received, ledger.returned, ledger.expired]
        columns = [f"{number:,}" for number in figures]
        view.add_row(account.mapping, *columns, *[""] * (8 - len(columns)), _balance(account.faults))
    return view


def queue_books(called: Mapping[Account, FunctionBooks], faults: Mapping[Account, Sequence[str]]) -> Table:
    """The asynchronous queue's own books of the functions that it called, and how they differ from what was sent."""
    names = ("accepted", "succeeded", "failed", "dropped", "queued", "attempts", "reported")
    view = _table("The asynchronous queue", "called by", *names)
    for account, kept in called.items():
        view.add_row(account.mapping, *(f"{getattr(kept, name):,}" for name in names), _balance(faults[account]))
    return view


def _table(title: str, first: str, *columns: str) -> Table:
    view = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    view.add_column(first, style="bold")
    for name in columns:
        view.add_column(name, justify="right")
    view.add_column("books")
    return view


def _balance(faults: Sequence[str]) -> Text:
    return Text("; ".join(faults), style="bold red") if faults else Text("balance", style="bold green")
