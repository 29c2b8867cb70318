"""The demo from start to end: emulators, sources, the runtime, the live view, the books."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import anyio
import orjson
from anyio import to_thread

from config import load
from pollers.assembly import assembled
from pollers.demo.books import Account, Delivery, close_account, queue_faults
from pollers.demo.calls import InvoiceCalls, ScheduledReport
from pollers.demo.mapping_counts import CountsSink
from pollers.demo.show import Show, books, queue_books
from pollers.demo.streams import ClickStream, TableStream
from pollers.demo.world import QueueSource, World
from pollers.emulators import KinesisLocal, Ministack, installed, started
from pollers.invocations import AsyncQueue, FunctionBooks
from pollers.lambda_api import LambdaApiService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from pollers.emulators import Emulator, Recipe
    from pollers.supervisor.runtime import Runtime

    AnySource: TypeAlias = QueueSource | ClickStream | TableStream | InvoiceCalls | ScheduledReport

AnyService = TypeVar("AnyService")

LOOK_SECONDS = 0.5
DEMO_POLL_SECONDS = 2
PATIENCE_SECONDS = 180.0
PATIENCE_FOR_EACH_EVENT_SECONDS = 0.02
"""How long the demo waits until every event is accounted for, before it reports that some are not."""


async def run_demo(console: Console, examples: Path, messages: int, *, port: int = 0, keep: bool = False) -> int:
    """Run it all; the exit code is 0 only if every event is accounted for.

    ``port`` is the console's (0: any free one); ``keep`` stays until interrupted when everything is done.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-demo-")))
        stack.enter_context(_journal_of_in_process_functions(folder))
        ministack = await _start(console, stack, Ministack())
        kinesis = await _start(console, stack, KinesisLocal())
        world = await stack.enter_async_context(World(ministack.endpoint_url))
        table, calls = TableStream(world, "customers", messages // 2), _calls(world, messages)
        sources = [
            *_sources(world, kinesis.endpoint_url, messages),
            table,
            calls,
            ScheduledReport("daily-report", "reports"),
        ]
        for source in sources:
            await source.create()
        environment = {
            "DEMO_FOLDER": str(folder),
            "DEMO_ENDPOINT": ministack.endpoint_url,
            "DEMO_KINESIS_ENDPOINT": kinesis.endpoint_url,
            "DEMO_TABLE_STREAM": table.source.arn,
            "DEMO_HTTP_PORT": str(port),
        }
        loaded = load(examples / "demo" / "headrace.yaml", environ=environment)
        counts = CountsSink()
        runtime = await stack.enter_async_context(
            assembled(loaded.config, sinks=(counts,), long_poll_seconds=DEMO_POLL_SECONDS)
        )
        calls.api_url = _the(runtime, LambdaApiService).url
        link = _link(console, runtime)
        console.print(f"[green]✓[/green] console on [link={link}]{link}[/link]")
        await _work(console, runtime, counts, sources, folder, keep=keep)
        accounts = await _accounts(sources, folder)
        return _close(console, runtime, sources, accounts)


@contextmanager
def _journal_of_in_process_functions(folder: Path) -> Iterator[None]:
    """Set the path of the journal and the emulators' credentials: functions in this process share its environment."""
    ours = {"JOURNAL": str(folder / "audit.journal"), "AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def _start(console: Console, stack: AsyncExitStack, recipe: Recipe) -> Emulator:
    with console.status(f"Starting {recipe.name} {recipe.version} (installed once, into a cache) ..."):
        await to_thread.run_sync(installed, recipe)
        starting = started(recipe)
        emulator = await to_thread.run_sync(starting.__enter__)
        stack.push_async_callback(partial(to_thread.run_sync, starting.__exit__, None, None, None))
    console.print(f"[green]✓[/green] {recipe.name} {recipe.version} on {emulator.endpoint_url}")
    return emulator


def _sources(world: World, kinesis_url: str, messages: int) -> list[AnySource]:
    return [
        QueueSource(world, "orders-queue", "orders", messages, poison=max(1, messages // 200)),
        QueueSource(world, "payments-fifo", "payments.fifo", messages // 2, poison=3),
        ClickStream(world, "clicks", kinesis_url, messages * 2),
    ]


def _calls(world: World, messages: int) -> InvoiceCalls:
    return InvoiceCalls(world, "invoices", messages // 4, poison=3)


def _the(runtime: Runtime, kind: type[AnyService]) -> AnyService:
    """The runtime's service of this kind."""
    return next(service for service in runtime.services if isinstance(service, kind))


async def _work(
    console: Console, runtime: Runtime, counts: CountsSink, sources: list[AnySource], folder: Path, *, keep: bool
) -> None:
    """Fill the sources while the runtime runs, until everything is accounted for or the time is up."""
    queue = _the(runtime, AsyncQueue)
    progress = _Progress(sources, folder, queue)
    show = Show(console, runtime, queue, counts, [source.source for source in sources])
    async with anyio.create_task_group() as group:
        group.start_soon(runtime.run)
        async with anyio.create_task_group() as view:
            view.start_soon(show.run, progress.settled)
            async with anyio.create_task_group() as senders:
                senders.start_soon(progress.watch)
                for source in sources:
                    senders.start_soon(source.fill)
            view.cancel_scope.cancel()
        if keep:
            await _interrupted(console, runtime)
        runtime.stop()


def _link(console: Console, runtime: Runtime) -> str | None:
    """The console's URL; with its token only on a terminal, since other output may be stored and read by others."""
    return runtime.console if console.is_terminal else runtime.url


async def _interrupted(console: Console, runtime: Runtime) -> None:
    console.print(f"All is done; the console stays on {_link(console, runtime)} until Ctrl-C.")
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async for _ in received:
            return


class _Progress:
    """Counts what is accounted for: handled according to the functions' own journals, or in a queue of what failed."""

    def __init__(self, sources: list[AnySource], folder: Path, queue: AsyncQueue) -> None:
        self._sources = sources
        self._folder = folder
        self._queue = queue
        self._handled: set[str] = set()
        self._read: dict[Path, int] = {}
        self._dead = 0
        self._queued = 0

    def settled(self) -> int:
        """Events accounted for so far."""
        return len(self._handled) + self._dead

    async def watch(self) -> None:
        """Look until all events are accounted for, the queues are empty, and destinations have been told."""
        total = sum(source.source.total for source in self._sources)
        with anyio.move_on_after(PATIENCE_SECONDS + PATIENCE_FOR_EACH_EVENT_SECONDS * total):
            while True:
                await self._look()
                if self.settled() >= total and not self._queued:
                    return
                await anyio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        for journal in self._folder.glob("*.journal"):
            lines, self._read[journal] = _new_lines(journal, self._read.get(journal, 0))
            self._handled.update(line["id"] for line in lines if line["ok"])
        looks = [await source.look() for source in self._sources if isinstance(source, (QueueSource, InvoiceCalls))]
        # A record may be in its destination before the queue has noted that: the books are closed after it has.
        unfinished = sum(kept.queued + kept.reporting for kept in self._queue.snapshot().functions.values())
        self._queued = unfinished + sum(depth for depth, _ in looks)
        self._dead = sum(dead for _, dead in looks)


def _new_lines(journal: Path, start: int) -> tuple[list[dict[str, Any]], int]:
    with journal.open("rb") as file:
        file.seek(start)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    return [orjson.loads(line) for line in whole.splitlines()], start + len(whole)


def _all_lines(folder: Path) -> list[dict[str, Any]]:
    return [line for journal in folder.glob("*.journal") for line in _new_lines(journal, 0)[0]]


async def _accounts(sources: list[AnySource], folder: Path) -> list[Account]:
    lines = _all_lines(folder)
    accounts = []
    for source in sources:
        what = source.source
        deliveries = [Delivery(str(line["id"]), bool(line["ok"])) for line in lines if line["source"] == what.arn]
        dead = await source.dead_letters() if isinstance(source, (QueueSource, InvoiceCalls)) else []
        done = await source.done() if isinstance(source, InvoiceCalls) else None
        accounts.append(
            close_account(what.mapping, what.sent, deliveries, dead, maximum_receives=what.maximum_receives, done=done)
        )
    return accounts


def _close(console: Console, runtime: Runtime, sources: list[AnySource], accounts: list[Account]) -> int:
    queue = _the(runtime, AsyncQueue).snapshot()
    called = {
        account: queue.functions.get(source.source.function, FunctionBooks())
        for source, account in zip(sources, accounts, strict=True)
        if source.source.function is not None
    }
    faults = {account: queue_faults(account, kept) for account, kept in called.items()}
    console.print(books(accounts, runtime))
    console.print(queue_books(called, faults))
    balanced = runtime.exit_code == 0 and not any([*(account.faults for account in accounts), *faults.values()])
    if balanced:
        console.print(
            "[bold green]Every event sent was handled, or dead-lettered after exactly its allowed deliveries.[/bold green]"
        )
        return 0
    console.print("[bold red]The books do not balance.[/bold red]")
    return 1
