"""Mappings that the API made: on the disk first, then applied; and what restarts, reloads and full disks make of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import structlog

from config.models import Config, Mapping, PythonFunction, SqsMapping
from pollers.engine.stop import Stop
from pollers.made_mappings import AlreadyMapped, GivenByFile, InUse, MappingRegister, MemoryRows, NoFunction, NotThere
from pollers.made_mappings.documents import written
from pollers.made_mappings.made import MadeMapping
from pollers.storage import StoreDamaged, StoreUnwritable
from pollers.supervisor.mapping import MappingState
from pollers.supervisor.runtime import ReloadRefused
from tests.unit.made_mappings.fakes import FakeRunner, FakeRuntime, made_mappings
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
FUNCTION = PythonFunction.model_validate({"code": "/", "handler": "app.handler"})


class Disk(MemoryRows):
    """Has room, or none; ``removals`` fail that often."""

    full = False
    removals = 0

    async def save(self, uuid: str, document: str) -> None:
        """As on a disk."""
        if self.full:
            raise StoreUnwritable("no room")
        await super().save(uuid, document)

    async def remove(self, uuid: str) -> None:
        """As on a disk."""
        if self.removals:
            self.removals -= 1
            raise StoreUnwritable("no room")
        await super().remove(uuid)


def config(*functions: str, **mappings: Mapping) -> Config:
    """A file's configuration."""
    return Config(functions=dict.fromkeys(functions, FUNCTION), event_source_mappings=mappings)


def file_mapping(name: str = "given", source: str = QUEUE) -> SqsMapping:
    """A mapping of the file."""
    return SqsMapping(name=name, event_source_arn=source, function_name="orders")


class Bench:
    """A register over a disk and a runtime, started anew as often as one likes."""

    def __init__(self, rows: MemoryRows | None = None, *, given: Config | None = None, slow: bool = False) -> None:
        self.rows = rows or Disk()
        self.runtime = FakeRuntime()
        self.runtime.slow = slow
        self.forgotten: list[str] = []
        self.register: MappingRegister = made_mappings(self.runtime, self.rows, self.forgotten)
        self._given = given or config("orders", "audit")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MappingRegister]:
        """Opened and at work."""
        self.runtime.given = self._given
        await self.register.open()
        self.runtime.follow(self._given)
        stop = Stop()
        async with anyio.create_task_group() as group:
            group.start_soon(self.register.run, stop)
            await virtual_time.settle()
            yield self.register
            stop.request()

    async def made(self, source: str = QUEUE, function: str = "orders", **settings: Any) -> str:  # noqa: ANN401 - any settings
        """A new mapping's UUID, once it is applied."""
        given = {"EventSourceArn": source, "FunctionName": function, **settings}
        made = await self.register.create(given, f"arn:{function}", {})
        await virtual_time.settle()
        return made.uuid

    @property
    def runs(self) -> dict[str, Mapping]:
        """What the runtime was told to run."""
        return self.runtime.config.event_source_mappings


@virtual_time.test
async def test_what_was_made_is_there_after_a_restart() -> None:
    """As it was changed last; and only once it is on the disk is it there at all."""
    bench = Bench()
    async with bench.running() as register:
        uuid = await bench.made(BatchSize=3)
        await register.update(uuid, {"BatchSize": 4, "Enabled": False}, None)
        await register.tag(uuid, lambda tags: {**tags, "a": "b"})
    again = Bench(bench.rows)
    async with again.running() as register:
        found = register.one(uuid)
        assert found.made is not None
        assert (found.model.batch_size, found.state, found.made.tags) == (4, "Disabled", {"a": "b"})
        assert again.runs == {uuid: found.model}


@virtual_time.test
async def test_a_full_disk_changes_nothing() -> None:
    """Neither a new mapping, nor a changed, deleted or tagged one."""
    disk = Disk()
    bench = Bench(disk)
    async with bench.running() as register:
        uuid = await bench.made()
        before = register.one(uuid)
        disk.full = True
        for change in (
            lambda: bench.made(function="audit"),
            lambda: register.update(uuid, {"BatchSize": 4}, None),
            lambda: register.delete(uuid),
            lambda: register.tag(uuid, lambda _: {"a": "b"}),
        ):
            with pytest.raises(StoreUnwritable):
                await change()
        await virtual_time.settle()
        assert list(register.registered().values()) == [before]


@virtual_time.test
async def test_a_slow_end_holds_up_nobody_else() -> None:
    """Others are made while a mapping still finishes what it holds; it runs on unchanged until then."""
    bench = Bench(slow=True)
    async with bench.running() as register:
        uuid = await bench.made(BatchSize=1)
        runner = bench.runtime.mappings[uuid]
        await register.update(uuid, {"BatchSize": 2}, None)
        await virtual_time.settle()
        other = await bench.made(function="audit")
        assert set(bench.runs) == {uuid, other}
        assert runner.ending
        assert (bench.runs[uuid].batch_size, register.one(uuid).state) == (1, "Updating")
        assert register.left() == "1 mappings are being changed through the API"
        runner.finished.set()
        await virtual_time.settle()
        assert (bench.runs[uuid].batch_size, register.one(uuid).state) == (2, "Enabled")
        assert register.left() == ""


@virtual_time.test
async def test_a_change_that_counts_is_over_though_nobody_has_asked() -> None:
    """What its runner does later is not taken for the change, nor what one does that a reload has put in its place."""
    bench = Bench()
    async with bench.running() as register:
        uuid = await bench.made()
        runner = bench.runtime.mappings[uuid]
        runner.state = MappingState.STARTING
        assert register.one(uuid).state == "Creating"
        runner.started_at, runner.state = 1.0, MappingState.STOPPING
        assert register.one(uuid).state == "Enabled"  # its function goes, say: no client disables it
        runner.paused = True
        assert register.one(uuid).state == "Disabling"
        await register.update(uuid, {"BatchSize": 2}, None)
        await virtual_time.settle()
        again = bench.runtime.mappings[uuid] = FakeRunner(runner.model)
        again.state = MappingState.STARTING
        assert register.one(uuid).state == "Enabling"
        await register.update(uuid, {"BatchSize": 3}, None)
        await virtual_time.settle()
        # One that has failed and tries again is not made any longer either: its source may be away for days.
        tried = bench.runtime.mappings[uuid]
        tried.restarts, tried.state = 1, MappingState.STARTING
        assert register.one(uuid).state == "Enabled"


@virtual_time.test
async def test_a_deletion_that_was_cut_short_goes_on_at_the_next_start() -> None:
    """It does not run again; checkpoints go, and then its row."""
    bench = Bench(slow=True)
    async with bench.running() as register:
        uuid = await bench.made(STREAM, StartingPosition="LATEST")
        await register.delete(uuid)
        await virtual_time.settle()
        assert set(bench.runs) == {uuid}
    again = Bench(bench.rows)
    async with again.running() as register:
        assert again.runtime.reloads == 0
        assert again.forgotten == [uuid]
        with pytest.raises(NotThere):
            register.one(uuid)
    assert await again.rows.load() == {}


@virtual_time.test
async def test_a_deletion_waits_for_the_disk() -> None:
    """It stays Deleting; its row goes when there is room. Checkpoints of a queue there are none."""
    disk = Disk()
    bench = Bench(disk)
    async with bench.running() as register:
        uuid = await bench.made()
        disk.removals = 2
        await register.delete(uuid)
        await virtual_time.settle()
        assert (register.one(uuid).state, bench.runs) == ("Deleting", {})
        await anyio.sleep(11)
        assert (register.registered(), bench.forgotten) == ({}, [])


@virtual_time.test
async def test_the_checkpoints_of_a_deleted_mapping_go_before_its_row() -> None:
    """A kill between the two leaves the row: without it nobody would find the checkpoints any more."""
    disk = Disk()
    bench = Bench(disk)
    async with bench.running() as register:
        uuid = await bench.made(STREAM, StartingPosition="LATEST")
        disk.removals = 1
        await register.delete(uuid)
        await virtual_time.settle()
        assert (bench.forgotten, list(disk.documents)) == ([uuid], [uuid])


@virtual_time.test
async def test_a_file_never_fails_for_the_sake_of_a_made_mapping() -> None:
    """Without its function, or beside a twin, it waits and says so; then it runs again."""
    bench = Bench()
    async with bench.running() as register:
        uuid = await bench.made()
        for given, reason in (
            (config("audit"), "function orders is not configured: it runs when it is"),
            (
                config("orders", twin=file_mapping("twin")),
                "the configuration's mapping twin has the same source and function: it runs when that is gone",
            ),
            (
                config("orders", **{uuid: file_mapping(uuid, f"{QUEUE}2")}),
                "the configuration has a mapping of this name",
            ),
        ):
            bench.runtime.follow(given)
            with structlog.testing.capture_logs() as logged:
                register.apply(bench.runtime.config)
                register.apply(bench.runtime.config)
            assert [line["reason"] for line in logged] == [reason]
            assert uuid not in bench.runs or bench.runs[uuid].event_source_arn != QUEUE
            found = register.one(uuid)
            assert (found.state, found.remark) == ("Enabled", reason)
            await register.update(uuid, {"BatchSize": 3}, None)
            await virtual_time.settle()
        bench.runtime.follow(config("orders"))
        register.apply(bench.runtime.config)
        assert (bench.runs[uuid].batch_size, register.waiting()) == (3, {})


@virtual_time.test
async def test_refusals() -> None:
    """Each names what its reader must do next."""
    bench = Bench(given=config("orders", "audit", given=file_mapping()))
    async with bench.running() as register:
        [uuid] = register.registered()
        given = r"event_source_mappings.given \(headrace.yaml:2\)"
        with pytest.raises(GivenByFile, match=given):
            await register.update(uuid, {}, None)
        with pytest.raises(GivenByFile, match=given):
            await register.delete(uuid)
        with pytest.raises(AlreadyMapped) as taken:
            await bench.made()
        assert taken.value.uuid == uuid
        with pytest.raises(NoFunction):
            await bench.made(function="nobody")
        with pytest.raises(NotThere):
            await register.delete("nobody")
        made = await bench.made(function="audit")
        with pytest.raises(AlreadyMapped):
            await register.update(made, {"FunctionName": "orders"}, "arn:orders")
        bench.runtime.mappings[made].state = MappingState.STARTING
        await register.update(made, {"BatchSize": 2}, None)
        with pytest.raises(InUse):
            await register.update(made, {"BatchSize": 3}, None)


@virtual_time.test
async def test_who_enables_a_mapping_ends_a_pause() -> None:
    """A pause by an operator is Disabled for clients, so that they would enable it in vain."""
    bench = Bench()
    async with bench.running() as register:
        uuid = await bench.made()
        runner = bench.runtime.mappings[uuid]
        runner.paused, runner.state = True, MappingState.PAUSED
        assert register.one(uuid).state == "Disabled"
        await register.update(uuid, {"Enabled": True}, None)
        assert not runner.paused


@virtual_time.test
async def test_a_refused_reload_is_tried_again() -> None:
    """By the service's next life, with what was wanted."""
    bench = Bench()
    async with bench.running() as register:
        pass
    bench.runtime.problem = ReloadRefused("something of ours")
    await register.create({"EventSourceArn": QUEUE, "FunctionName": "orders"}, "arn", {})
    with pytest.RaisesGroup(ReloadRefused):
        await register.run(Stop())
    bench.runtime.problem = None
    stop = Stop()
    async with anyio.create_task_group() as group:
        group.start_soon(register.run, stop)
        await virtual_time.settle()
        stop.request()
    assert len(bench.runs) == 1


@virtual_time.test
async def test_a_stop_meanwhile_ends_the_service() -> None:
    """What is not applied then is at the next start."""
    bench = Bench(slow=True)
    async with bench.running() as register:
        uuid = await bench.made()
        bench.runtime.problem, bench.runtime.stopping = ReloadRefused("shutting down"), True
        await register.update(uuid, {"BatchSize": 2}, None)
        bench.runtime.mappings[uuid].finished.set()
        await virtual_time.settle()
    again = Bench(bench.rows)
    async with again.running():
        assert again.runs[uuid].batch_size == 2


@virtual_time.test
async def test_settings_of_another_headrace_are_left_in_the_state() -> None:
    """That mapping does not run, and everything else does. A text that is none of ours is damage."""
    rows = MemoryRows()
    unfit = MadeMapping("u", {"EventSourceArn": "arn:aws:kafka:x:1:y", "FunctionName": "orders"}, "arn", 1.0, 1.0)
    rows.documents["u"] = written(unfit)
    bench = Bench(rows)
    with structlog.testing.capture_logs() as logged:
        async with bench.running() as register:
            assert register.registered() == {}
    assert [line["mapping"] for line in logged if line["log_level"] == "error"] == ["u"]
    rows.documents["u"] = "{}"
    with pytest.raises(StoreDamaged, match="cannot be read"):
        await Bench(rows).register.open()


@virtual_time.test
async def test_a_clock_that_was_set_back_costs_no_mapping() -> None:
    """A starting time that had passed has passed."""
    rows = MemoryRows()
    settings = {
        "EventSourceArn": STREAM,
        "FunctionName": "orders",
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": 9e9,
    }
    rows.documents["u"] = written(MadeMapping("u", settings, "arn", 9.1e9, 9.1e9))
    bench = Bench(rows)
    async with bench.running():
        assert set(bench.runs) == {"u"}
