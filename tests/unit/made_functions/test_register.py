"""Functions that the API makes, changes and deletes: on the disk first, then in what runs; what kills and full disks leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from config.models import Config, ProvidedFunction, PythonFunction, SqsMapping
from pollers.made_functions import (
    AlreadyThere,
    ArchiveRefused,
    Changing,
    CodeFolders,
    Entry,
    FunctionRegister,
    GivenByFile,
    MemoryRows,
    Misfit,
    NotThere,
)
from pollers.made_functions.documents import read
from pollers.storage import StoreDamaged, StoreUnwritable
from tests.unit.made_functions.fakes import made_functions, settling, until
from tests.unit.made_functions.packages import APP, package
from tests.unit.made_mappings.fakes import FakeRunner, FakeRuntime

if TYPE_CHECKING:
    from pathlib import Path

    from config.models import FunctionModel

SETTINGS = {"Runtime": "python3.11", "Handler": "src/app.handler", "Role": "r", "Timeout": 7}
OTHER = package(("app.py", b"pass"))


class FullRows(MemoryRows):
    """Rows on a disk that is full when a test says so."""

    full = False

    async def save(self, name: str, document: str) -> None:
        """See ``FunctionRows.save``."""
        if self.full:
            raise StoreUnwritable("no room")
        await super().save(name, document)


def running(runtime: FakeRuntime, name: str = "orders") -> FunctionModel | None:
    """The model that runs."""
    return runtime.config.functions.get(name)


def revisions(folder: Path) -> set[str]:
    """Of all code on the disk."""
    return {path.name for path in folder.glob("*/*")}


async def applied(made: FunctionRegister, name: str = "orders") -> Entry:
    """The function, once its last change counts."""
    await until(lambda: (entry := made.find(name)) is not None and entry.applied)
    entry = made.find(name)
    assert entry is not None
    return entry


async def test_a_function_is_made_of_a_package(tmp_path: Path) -> None:
    """It is on the disk when the making returns, runs soon after that, and has the settings in the configuration's words."""
    runtime, rows = FakeRuntime(), MemoryRows()
    made = made_functions(runtime, tmp_path, rows)
    entry = await made.create("orders", SETTINGS, APP)
    assert (entry.applied, entry.entered, running(runtime)) == (False, False, None)
    place = tmp_path / "orders" / entry.made.code.revision
    assert (place / "app.py").is_file()
    assert read("orders", rows.documents["orders"]) == entry.made
    async with settling(made):
        await applied(made)
    model = running(runtime)
    assert isinstance(model, PythonFunction)
    assert (model.handler, model.timeout, model.code) == ("src.app.handler", 7, place)
    assert entry.entered


async def test_a_provided_function_runs_its_bootstrap(tmp_path: Path) -> None:
    """And is told its handler."""
    runtime = FakeRuntime()
    made = made_functions(runtime, tmp_path)
    variables = {"Variables": {"PLAIN": "${HOME}"}}
    settings = {"Runtime": "provided.al2023", "Handler": "x", "MemorySize": 256, "Environment": variables}
    async with settling(made):
        await made.create("orders", settings, APP)
        await applied(made)
    model = running(runtime)
    assert isinstance(model, ProvidedFunction)
    assert (model.command, model.handler, model.memory_size) == (["./bootstrap"], "x", 256)
    assert model.environment == {"PLAIN": "${HOME}"}


async def test_other_code_counts_after_running_mappings_have_ended(tmp_path: Path) -> None:
    """The code before is removed when nobody uses it any more, and not earlier."""
    runtime = FakeRuntime()
    made = made_functions(runtime, tmp_path)
    runtime.functions.slow = True
    async with settling(made):
        first = (await made.create("orders", SETTINGS, APP)).made.code
        await applied(made)
        second = (await made.update_code("orders", OTHER, {})).made.code
        assert (await applied(made)).made.code == second
        assert first.sha256 != second.sha256
        assert revisions(tmp_path) == {first.revision, second.revision}
        runtime.functions.leaving.clear()
        await until(lambda: revisions(tmp_path) == {second.revision})
    model = running(runtime)
    assert model is not None
    assert str(getattr(model, "code", "")).endswith(second.revision)


async def test_settings_are_changed_one_by_one(tmp_path: Path) -> None:
    """None takes one away; what is wrong changes nothing."""
    runtime, rows = FakeRuntime(), MemoryRows()
    made = made_functions(runtime, tmp_path, rows)
    async with settling(made):
        await made.create("orders", SETTINGS, APP)
        await applied(made)
        entry = await made.update_configuration("orders", {"Timeout": None, "MemorySize": 512})
        assert entry.made.settings == {
            "Runtime": "python3.11",
            "Handler": "src/app.handler",
            "Role": "r",
            "MemorySize": 512,
        }
        await applied(made)
        before = dict(rows.documents)
        with pytest.raises(Misfit):
            await made.update_configuration("orders", {"Environment": {"Variables": {"_HANDLER": "x"}}})
        assert rows.documents == before
    model = running(runtime)
    assert isinstance(model, PythonFunction)
    assert (model.timeout, model.memory_size) == (3, 512)


async def test_a_second_change_waits_for_the_first(tmp_path: Path) -> None:
    """Its client is told so; a name that is taken stays taken."""
    runtime = FakeRuntime()
    made = made_functions(runtime, tmp_path)
    async with anyio.create_task_group() as group:
        group.start_soon(made.create, "orders", SETTINGS, APP)
        await anyio.lowlevel.checkpoint()
        with pytest.raises(AlreadyThere):
            await made.create("orders", SETTINGS, APP)
    with pytest.raises(Changing) as changing:
        await made.update_code("orders", OTHER, {})
    assert changing.value.pending
    async with settling(made):
        await applied(made)
        await made.update_configuration("orders", {"Description": "x"})
        with pytest.raises(Changing) as changing:
            await made.update_configuration("orders", {"Description": "y"})
        assert not changing.value.pending
        await applied(made)
    with pytest.raises(AlreadyThere):
        await made.create("orders", SETTINGS, APP)


async def test_a_deleted_function_is_gone_for_clients_at_once(tmp_path: Path) -> None:
    """Its row and its code follow when it has ended; what else was made of it goes with it."""
    runtime, rows, forgotten = FakeRuntime(), MemoryRows(), list[str]()

    async def forget(name: str) -> None:
        forgotten.append(name)

    made = made_functions(runtime, tmp_path, rows, forget=forget)
    async with settling(made):
        await made.create("orders", SETTINGS, APP)
        await applied(made)
        await made.delete("orders")
        assert made.find("orders") is None
        assert (made.hides("orders"), forgotten) == (True, ["orders"])
        with pytest.raises(NotThere):
            await made.delete("orders")
        await until(lambda: not rows.documents and not revisions(tmp_path))
    assert running(runtime) is None
    assert not made.hides("orders")


async def test_a_name_is_used_again_without_what_was_made_of_the_first_one(tmp_path: Path) -> None:
    """Also where the disk had refused to forget it: nobody is to call the second one by the first one's URL."""
    runtime, rows, forgotten = FakeRuntime(), MemoryRows(), list[str]()
    full = False

    async def forget(name: str) -> None:
        if full:
            raise StoreUnwritable("no room")
        assert read(name, rows.documents[name]).deleting
        forgotten.append(name)

    made = made_functions(runtime, tmp_path, rows, forget=forget)
    async with settling(made):
        await made.create("orders", SETTINGS, APP)
        await applied(made)
        full = True
        with pytest.raises(StoreUnwritable):
            await made.delete("orders")
        with pytest.raises(StoreUnwritable):
            await made.create("orders", SETTINGS, OTHER)
        full = False
        await made.create("orders", SETTINGS, OTHER)
        await applied(made)
    assert forgotten == ["orders"]


async def test_a_name_can_be_used_again_at_once(tmp_path: Path) -> None:
    """Whatever of the first one still runs."""
    runtime, rows = FakeRuntime(), MemoryRows()
    made = made_functions(runtime, tmp_path, rows)
    async with settling(made):
        await made.create("orders", SETTINGS, APP)
        await applied(made)
        await made.delete("orders")
        second = await made.create("orders", {**SETTINGS, "Timeout": 9}, OTHER)
        assert not second.entered
        assert made.hides("orders")
        await applied(made)
        await until(lambda: revisions(tmp_path) == {second.made.code.revision})
    model = running(runtime)
    assert model is not None
    assert model.timeout == 9
    assert read("orders", rows.documents["orders"]).code == second.made.code


async def test_the_end_of_the_first_one_of_a_name_takes_nothing_of_the_second(tmp_path: Path) -> None:
    """It may come late: a mapping finishes what it holds."""
    runtime, rows = FakeRuntime(), MemoryRows()
    made = made_functions(runtime, tmp_path, rows)
    async with settling(made):
        await made.create("orders", SETTINGS, APP)
        await applied(made)
        mapping = SqsMapping(name="m", event_source_arn="arn:aws:sqs:us-east-1:000000000000:q", function_name="orders")
        runner = runtime.mappings["m"] = FakeRunner(mapping, slow=True)
        await made.delete("orders")
        await until(lambda: runner.ending)
        second = await made.create("orders", SETTINGS, OTHER)
        runner.finished.set()
        assert await applied(made) is second
        await until(lambda: revisions(tmp_path) == {second.made.code.revision})
    assert read("orders", rows.documents["orders"]).code == second.made.code


async def test_a_deletion_that_comes_while_a_change_is_applied_is_applied_too(tmp_path: Path) -> None:
    """Clients may delete what is still being updated."""
    runtime, rows = FakeRuntime(), MemoryRows()
    made = made_functions(runtime, tmp_path, rows)
    async with settling(made):
        await made.create("orders", SETTINGS, APP)
        await applied(made)
        mapping = SqsMapping(name="m", event_source_arn="arn:aws:sqs:us-east-1:000000000000:q", function_name="orders")
        runner = runtime.mappings["m"] = FakeRunner(mapping, slow=True)
        await made.update_code("orders", OTHER, {})
        await until(lambda: runner.ending)
        await made.delete("orders")
        runner.finished.set()
        await until(lambda: not rows.documents and not revisions(tmp_path))
    assert running(runtime) is None


async def test_what_was_made_is_there_after_a_restart(tmp_path: Path) -> None:
    """Without a change being applied again; a deletion is finished, and code that nobody refers to removed."""
    rows, forgotten = MemoryRows(), list[str]()
    first = made_functions(FakeRuntime(), tmp_path, rows)
    kept = await first.create("orders", SETTINGS, APP)
    await first.create("gone", SETTINGS, APP)
    await first.delete("gone")
    CodeFolders(tmp_path).unpack(APP, "orders", "unknown")

    async def forget(name: str) -> None:
        forgotten.append(name)

    runtime = FakeRuntime()
    second = made_functions(runtime, tmp_path, rows, forget=forget)
    await second.open()
    runtime.follow(Config())
    entry = second.find("orders")
    assert entry is not None
    assert (entry.made, entry.applied, entry.entered) == (kept.made, True, True)
    assert running(runtime) == entry.model
    assert (second.find("gone"), forgotten, set(rows.documents)) == (None, ["gone"], {"orders"})
    assert revisions(tmp_path) == {kept.made.code.revision}


class Killed(BaseException):
    """The process ends here."""


class KilledRows(MemoryRows):
    """Rows of a process that is killed before or after its next write is on the disk."""

    kill: str = ""

    async def save(self, name: str, document: str) -> None:
        """See ``FunctionRows.save``."""
        if self.kill == "before":
            raise Killed
        await super().save(name, document)
        if self.kill == "after":
            raise Killed


async def _make(made: FunctionRegister, change: str) -> None:
    match change:
        case "create":
            await made.create("orders", SETTINGS, APP)
        case "update":
            await made.update_code("orders", OTHER, {})
        case _:
            await made.delete("orders")


@pytest.mark.parametrize("kill", ["before", "after"])
@pytest.mark.parametrize("change", ["create", "update", "delete"])
async def test_a_kill_leaves_a_change_whole_or_undone(tmp_path: Path, change: str, kill: str) -> None:
    """The next start has the one or the other, its code with it, and nothing beside."""
    rows = KilledRows()
    made = made_functions(FakeRuntime(), tmp_path, rows)
    if change != "create":
        async with settling(made):
            await made.create("orders", SETTINGS, APP)
            await applied(made)
    before = dict(rows.documents)
    rows.kill = kill
    with pytest.raises(Killed):
        await _make(made, change)
    assert (rows.documents == before) == (kill == "before")
    rows.kill = ""
    second = made_functions(FakeRuntime(), tmp_path, rows)
    await second.open()
    entry = second.find("orders")
    there = (change != "delete") if kill == "after" else (change != "create")
    assert (entry is not None, set(rows.documents)) == (there, {"orders"} if there else set())
    assert revisions(tmp_path) == ({entry.made.code.revision} if entry is not None else set())
    if entry is not None:
        expected = OTHER if (change, kill) == ("update", "after") else APP
        assert entry.made.code.size == len(expected)
        assert (tmp_path / "orders" / entry.made.code.revision / "app.py").is_file()


async def test_a_row_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """With the function's name."""
    rows = MemoryRows()
    rows.documents["orders"] = "{}"
    with pytest.raises(StoreDamaged, match="the function orders, made through the API"):
        await made_functions(FakeRuntime(), tmp_path, rows).open()


async def test_what_the_file_gives_is_the_files(tmp_path: Path) -> None:
    """It cannot be made, changed or deleted, and hides what was made under its name until it is taken out."""
    runtime = FakeRuntime()
    made = made_functions(runtime, tmp_path)
    async with settling(made):
        entry = await made.create("orders", SETTINGS, APP)
        await applied(made)
        given = PythonFunction.model_validate({"code": "/", "handler": "app.handler"})
        runtime.follow(Config(functions={"orders": given}))
        assert running(runtime) == given
        assert (made.find("orders"), made.hides("orders"), made.names()) == (None, False, [])
        for change in (
            lambda: made.create("orders", SETTINGS, APP),
            lambda: made.update_code("orders", APP, {}),
            lambda: made.update_configuration("orders", {}),
            lambda: made.delete("orders"),
        ):
            with pytest.raises(GivenByFile, match=r"functions\.orders \(headrace\.yaml:2\)"):
                await change()
        runtime.follow(Config())
        assert running(runtime) == entry.model


async def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    """Neither in memory nor on the disk; the code of the change is removed."""
    runtime, rows = FakeRuntime(), FullRows()
    made = made_functions(runtime, tmp_path, rows)
    rows.full = True
    with pytest.raises(StoreUnwritable):
        await made.create("orders", SETTINGS, APP)
    assert (made.find("orders"), revisions(tmp_path)) == (None, set())
    rows.full = False
    async with settling(made):
        await made.create("orders", SETTINGS, APP)
        before = (await applied(made)).made
        rows.full = True
        with pytest.raises(StoreUnwritable):
            await made.update_code("orders", OTHER, {})
        with pytest.raises(StoreUnwritable):
            await made.delete("orders")
        entry = made.find("orders")
        assert entry is not None
        assert (entry.made, revisions(tmp_path)) == (before, {before.code.revision})


async def test_a_package_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    """Also as a try of which nothing is kept, and a good one as such a try."""
    made = made_functions(FakeRuntime(), tmp_path)
    with pytest.raises(ArchiveRefused):
        await made.create("orders", SETTINGS, b"no zip")
    async with settling(made):
        first = await made.create("orders", SETTINGS, APP)
        await applied(made)
        with pytest.raises(ArchiveRefused):
            await made.update_code("orders", b"no zip", {}, dry_run=True)
        tried = await made.update_code("orders", OTHER, {}, dry_run=True)
        assert tried.made.code.size == len(OTHER)
        assert made.find("orders") is first
        assert revisions(tmp_path) == {first.made.code.revision}


def _settings(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {**SETTINGS, **more}


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (_settings(Handler="app"), "expected module.function"),
        (_settings(Environment={"Variables": {"AWS_LAMBDA_X": "1"}}), "reserved"),
        (_settings(LoggingConfig={"LogFormat": "Text", "SystemLogLevel": "DEBUG"}), "expected log_format JSON"),
        (_settings(DeadLetterConfig={"TargetArn": "arn:aws:lambda:us-east-1:000000000000:function:f"}), "found"),
        (_settings(Environment={"Variables": {"AB": "\ud800"}}), "found"),
    ],
)
async def test_settings_are_held_to_the_rules_of_a_file(tmp_path: Path, settings: dict[str, Any], fault: str) -> None:
    """Nothing is unpacked for wrong ones."""
    with pytest.raises(Misfit, match=fault):
        await made_functions(FakeRuntime(), tmp_path).create("orders", settings, APP)
    assert revisions(tmp_path) == set()
