"""Resources of a running Headrace: durable, at once, and under the configuration; the same on the disk and in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
import structlog

from config.models import Config, EventInvokeConfig, FunctionUrl
from pollers.engine.stop import Stop
from pollers.resources import TABLES, GivenByConfiguration, MemoryRows, ResourceRows, Resources, StateRows, changes
from pollers.state import State
from pollers.storage import StoreDamaged, StoreUnwritable
from tests.unit.functions.fakes import Bench
from tests.unit.resources.examples import model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from config.models import FunctionModel
    from pollers.functions import FunctionHost

    Opening = Callable[[], AbstractAsyncContextManager[ResourceRows]]

ORDERS = {"orders": model()}


@pytest.fixture(params=["memory", "state"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens the same rows each time that it is called, as a restart does."""
    memory = MemoryRows()

    @asynccontextmanager
    async def opened() -> AsyncIterator[ResourceRows]:
        if request.param == "memory":
            yield memory
        else:
            async with State(tmp_path, (TABLES,)) as state:
                yield StateRows(state)

    return opened


@asynccontextmanager
async def resources(opening: Opening, models: Mapping[str, FunctionModel] = ORDERS) -> AsyncIterator[Resources]:
    """What a start makes of the rows."""
    async with opening() as opened:
        made = Resources(opened, {})
        await made.open()
        made.follow(models)
        yield made


async def test_what_was_made_is_there_after_a_restart(rows: Opening) -> None:
    """All kinds of it, and for each function its own."""
    async with resources(rows) as before:
        await before.change("orders", changes.put_invoking(EventInvokeConfig(maximum_retry_attempts=0)))
        await before.change("orders", changes.create_url(FunctionUrl(auth_type="NONE")))
        await before.change("orders", changes.reserve(1))
        await before.change("orders", changes.add_statement("s", {"Sid": "s"}))
        await before.change("other", changes.set_recursion("Allow"))
        made = before.made_of("orders")
    async with resources(rows) as after:
        assert after.made_of("orders") == made
        assert after.made_of("other").recursion == "Allow"
        settings = after.settings_of("orders")
        assert (settings.maximum_retry_attempts, settings.reserved, settings.url) == (0, 1, made.url)


async def test_a_change_counts_at_once(rows: Opening) -> None:
    """For whoever asks before the next attempt."""
    async with resources(rows) as running:
        assert running.settings_of("orders").maximum_retry_attempts == 2
        await running.change("orders", changes.put_invoking(EventInvokeConfig(maximum_retry_attempts=1)))
        assert running.settings_of("orders").maximum_retry_attempts == 1
        await running.change("orders", changes.delete_invoking)
        assert running.settings_of("orders").maximum_retry_attempts == 2


async def test_changes_at_the_same_time_lose_nothing(rows: Opening) -> None:
    """Each finds what the one before has made."""
    async with resources(rows) as running:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(running.change, "orders", changes.add_statement(f"s{number}", {}))
        assert len(running.made_of("orders").statements) == 20


async def test_a_refused_change_leaves_everything_as_it_was(rows: Opening) -> None:
    """Also on the disk."""
    given = {"orders": model(event_invoke_config={"maximum_retry_attempts": 1})}
    async with resources(rows, given) as running:
        with pytest.raises(GivenByConfiguration):
            await running.change("orders", changes.put_invoking(EventInvokeConfig()))
        assert running.settings_of("orders").maximum_retry_attempts == 1
    async with resources(rows) as after:
        assert after.invoking_of("orders") is None


async def test_a_configuration_that_gives_what_the_api_made_counts_and_says_so(rows: Opening) -> None:
    """Once, when it begins to; what was made is kept, and counts again when the option is taken out."""
    given = {"orders": model(event_invoke_config={"maximum_retry_attempts": 1})}
    async with resources(rows) as running:
        await running.change("orders", changes.put_invoking(EventInvokeConfig(maximum_retry_attempts=0)))
        with structlog.testing.capture_logs() as lines:
            running.apply(Config(functions=given))
            running.apply(Config(functions=given))
        assert [line["options"] for line in lines] == [["functions.orders.event_invoke_config"]]
        assert running.settings_of("orders").maximum_retry_attempts == 1
        running.apply(Config(functions=ORDERS))
        assert running.settings_of("orders").maximum_retry_attempts == 0


async def test_a_function_that_is_gone_keeps_what_was_made_until_it_returns(rows: Opening) -> None:
    """The log says which, at a reload and at a start."""
    async with resources(rows) as running:
        await running.change("orders", changes.reserve(3))
        with structlog.testing.capture_logs() as lines:
            running.apply(Config())
            running.apply(Config())
        assert [line["functions"] for line in lines] == [["orders"]]
    with structlog.testing.capture_logs() as lines:
        async with resources(rows, {"another": model()}) as running:
            assert [line["functions"] for line in lines] == [["orders"]]
            running.apply(Config(functions=ORDERS))
            assert running.settings_of("orders").reserved == 3


async def test_a_function_of_which_nothing_was_made_leaves_no_word(rows: Opening) -> None:
    """It has only been seen."""
    async with resources(rows):
        pass
    with structlog.testing.capture_logs() as lines:
        async with resources(rows, {}):
            assert lines == []


async def test_reserved_concurrency_reaches_the_function(rows: Opening) -> None:
    """At the start, once functions have hosts, and at each change."""
    async with rows() as opened, Bench().running(orders=5) as functions:
        hosts: dict[str, FunctionHost] = {}
        running = Resources(opened, hosts)
        running.follow(ORDERS)
        await running.change("orders", changes.reserve(2))
        hosts.update(functions)
        stop = Stop()
        stop.request()
        await running.run(stop)
        assert functions["orders"].permits.concurrency == 2
        await running.change("orders", changes.reserve(None))
        assert functions["orders"].permits.concurrency == 5


async def test_times_of_what_is_configured_survive_a_restart(rows: Opening) -> None:
    """They are written beside everything else, without holding up the start or a reload."""
    given = {"orders": model(function_url={"auth_type": "NONE"})}
    async with resources(rows, given) as running:
        await _until_written(running)
        url = running.url_of("orders")
    async with resources(rows, given) as running:
        assert running.url_of("orders") == url
        running.follow({"orders": model(function_url={"auth_type": "AWS_IAM"})})
        await _until_written(running)
        changed = running.url_of("orders")
    async with resources(rows, {"orders": model(function_url={"auth_type": "AWS_IAM"})}) as running:
        assert running.url_of("orders") == changed != url


async def _until_written(running: Resources) -> None:
    """Run it as a service until there is nothing more to write."""
    stop = Stop()
    async with anyio.create_task_group() as group:
        group.start_soon(running.run, stop)
        with anyio.fail_after(10):
            while running.unwritten:
                await anyio.sleep(0.001)
        stop.request()


class FullDisk(MemoryRows):
    """A disk without room."""

    async def save(self, documents: Mapping[str, str]) -> None:
        """Nothing is written."""
        raise StoreUnwritable("no room")


async def test_on_a_full_disk_nothing_is_changed() -> None:
    """Whoever asked is told, and may ask again."""
    running = Resources(FullDisk(), {})
    running.follow(ORDERS)
    with pytest.raises(StoreUnwritable):
        await running.change("orders", changes.reserve(1))
    assert running.settings_of("orders").reserved is None


async def test_a_change_that_is_cancelled_on_its_way_to_the_disk_counts() -> None:
    """Nobody may see it one way now and the other way after a restart."""
    disk = SlowDisk()
    running = Resources(disk, {})
    running.follow(ORDERS)
    async with anyio.create_task_group() as group:
        group.start_soon(running.change, "orders", changes.reserve(1))
        await disk.asked.wait()
        group.cancel_scope.cancel()
        disk.ready.set()
    assert running.settings_of("orders").reserved == 1


async def test_a_reload_during_a_change_is_not_lost() -> None:
    """Both count."""
    disk = SlowDisk()
    running = Resources(disk, {})
    running.follow(ORDERS)
    async with anyio.create_task_group() as group:
        group.start_soon(running.change, "orders", changes.reserve(1))
        await disk.asked.wait()
        running.follow({"orders": model(function_url={"auth_type": "NONE"})})
        disk.ready.set()
    url = running.url_of("orders")
    assert url is not None
    assert url.created_at > 0
    assert running.unwritten == {"orders"}


class SlowDisk(MemoryRows):
    """A disk that takes until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.ready = anyio.Event(), anyio.Event()

    async def save(self, documents: Mapping[str, str]) -> None:
        """Wait, then write."""
        self.asked.set()
        await self.ready.wait()
        await super().save(documents)


async def test_a_changed_byte_on_the_disk_is_noticed(tmp_path: Path) -> None:
    """Before anything of it is used."""
    async with State(tmp_path, (TABLES,)) as state:
        await StateRows(state).save({"orders": "{}"})
        await state.call(lambda connection: connection.execute("UPDATE resources SET document = '{ }'") and None)
        with pytest.raises(StoreDamaged, match="function orders through the API is not as it was written"):
            await StateRows(state).load()


async def test_a_text_that_nobody_wrote_is_refused() -> None:
    """With the function's name, so that its row can be found."""
    rows = MemoryRows()
    await rows.save({"orders": '{"url": 1}'})
    with pytest.raises(StoreDamaged, match="function orders"):
        await Resources(rows, {}).open()
