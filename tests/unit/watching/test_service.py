"""Changes on the disk, applied to a running Headrace: function by function, whole bursts at once, and never what is faulty."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import structlog
from watchfiles._rust_notify import RustNotify

from config import load
from pollers.made_mappings.states import going_on
from pollers.supervisor import reload_from
from pollers.watching import Watching, bell
from tests.unit.supervisor.fakes import Bench, FakeFunction
from tests.unit.supervisor.runtimes import make_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from pollers.supervisor.runtime import Runtime
    from pollers.supervisor.service import ServiceRunner

CODE = "def handler(event, context): ...\n"
CONFIG = """
functions:
  orders: {code: orders, handler: app.handler}
  audit: {runtime: in_process, code: audit, handler: app.handler}
event_source_mappings:
  o: {event_source_arn: "arn:aws:sqs:us-east-1:000000000000:o", function_name: orders}
  a: {event_source_arn: "arn:aws:sqs:us-east-1:000000000000:a", function_name: audit}
"""


class Place:
    """A project, the runtime of it, and what was logged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "headrace.yaml"
        for name in ("orders", "audit"):
            (folder / name).mkdir()
            (folder / name / "app.py").write_text(CODE)
        self.path.write_text(CONFIG)
        self.made: list[FakeFunction] = []
        self.bench = Bench()
        self.unproven: dict[str, str] = {}
        self.runtime: Runtime = make_runtime(load(self.path).config, self.bench, self.made, self.unproven)
        self.runtime.services = (Watching(self.runtime, self.path),)
        self.lines: list[Any] = []

    @property
    def watcher(self) -> ServiceRunner:
        return self.runtime.service_runners[0]

    def logged(self, event: str) -> list[Any]:
        return [line for line in self.lines if line["event"] == event]

    async def until(self, condition: Callable[[], object]) -> None:
        with anyio.fail_after(30):
            while not condition():
                await anyio.sleep(0.01)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Run, from when it watches."""
        with structlog.testing.capture_logs() as self.lines:
            async with anyio.create_task_group() as group:
                group.start_soon(self.runtime.run)
                await self.until(lambda: self.logged("watching code and configuration"))
                yield
                self.runtime.stop()
        assert self.watcher.restarts == 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_changed_code_renews_its_function_alone(place: Place) -> None:
    """Its host is another one, and its mapping a new runner; those of the other function stay. One line says it."""
    async with place.watched():
        orders, audit = place.runtime.functions["orders"], place.runtime.functions["audit"]
        runner = place.runtime.mappings["a"]
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: place.logged("changed code is applied"))
        assert place.runtime.functions["orders"] is not orders
        assert place.runtime.functions["audit"] is audit
        assert place.runtime.mappings["a"] is runner
        await place.until(lambda: orders.finished.is_set())
    [line] = place.logged("changed code is applied")
    assert line["function"] == "orders"
    assert [path.endswith("orders/app.py") for path in line["files"]] == [True]
    assert not place.logged("configuration reloaded")


async def test_a_function_that_is_busy_keeps_no_other_one_back(place: Place) -> None:
    """It stands at a breakpoint, say. Its own change waits for its invocation, and so does a changed configuration."""
    async with place.watched():
        orders, audit = place.runtime.functions["orders"], place.runtime.functions["audit"]
        await place.until(lambda: "o" in place.bench.pollers)
        [poller] = place.bench.pollers["o"]
        poller.stubborn = True
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: poller.surroundings.stop.requested)
        (place.folder / "audit" / "app.py").write_text(CODE * 2)
        await place.until(lambda: place.runtime.functions["audit"] is not audit)
        assert place.runtime.functions["orders"] is orders
        place.path.write_text(CONFIG.replace("orders: {", "orders: {timeout: 9, "))
        poller.surroundings.stop.hurry()
        await place.until(lambda: place.logged("configuration reloaded"))
    assert [line["function"] for line in place.logged("changed code is applied")] == ["audit", "orders"]


async def test_a_function_in_process_is_renewed_too(place: Place) -> None:
    """What was loaded is left, and loaded anew."""
    async with place.watched():
        before = place.runtime.functions["audit"]
        (place.folder / "audit" / "more.py").write_text("")
        await place.until(lambda: place.logged("changed code is applied"))
        assert place.runtime.functions["audit"] is not before


async def test_a_changed_configuration_is_applied(place: Place) -> None:
    """As `headrace reload` does it; the code of a function that it changes is not taken for changed as well."""
    async with place.watched():
        audit = place.runtime.functions["audit"]
        place.path.write_text(CONFIG.replace("orders: {", "orders: {timeout: 9, "))
        await place.until(lambda: place.logged("configuration reloaded"))
        assert place.runtime.functions["audit"] is audit
    [line] = place.logged("configuration reloaded")
    assert (line["changed"], line["functions"]) == (["o"], ["orders"])
    assert not place.logged("changed code is applied")


async def test_a_function_that_the_configuration_adds_is_watched_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one whose code is elsewhere from now on: what is saved there right afterwards is a change. No look comes by itself."""
    monkeypatch.setattr("pollers.watching.service.LOOK_MS", 3_600_000)
    for name in ("more", "elsewhere"):
        (place.folder / name).mkdir()
        (place.folder / name / "app.py").write_text(CODE)
    async with place.watched():
        added = "functions:\n  more: {runtime: in_process, code: more, handler: app.handler}"
        moved = CONFIG.replace("code: audit", "code: elsewhere")
        place.path.write_text(moved.replace("functions:", added))
        await place.until(lambda: place.logged("configuration reloaded"))
        for name in ("more", "elsewhere"):
            (place.folder / name / "app.py").write_text(CODE * 2)
        await place.until(
            lambda: {line["function"] for line in place.logged("changed code is applied")} == {"more", "audit"}
        )


async def test_faulty_code_is_refused_with_its_place_and_the_old_one_runs_on(place: Place) -> None:
    """The other function's change is applied; repaired, it is taken."""
    async with place.watched():
        orders = place.runtime.functions["orders"]
        (place.folder / "orders" / "app.py").write_text("def handler(event, context:\n")
        await place.until(lambda: place.logged("code refused, the old one runs on"))
        (place.folder / "audit" / "app.py").write_text(CODE * 2)
        await place.until(lambda: place.logged("changed code is applied"))
        assert place.runtime.functions["orders"] is orders
        (place.folder / "orders" / "app.py").write_text(CODE)
        await place.until(lambda: place.runtime.functions["orders"] is not orders)
    refused = place.logged("code refused, the old one runs on")[0]
    assert refused["function"] == "orders"
    assert refused["faults"][0].startswith(f"{place.path}:3: functions.orders")
    assert "orders/app.py:1: " in refused["faults"][0]


async def test_a_faulty_configuration_holds_changes_back_until_it_is_right(place: Place) -> None:
    """With file and line; the code that was changed meanwhile comes with it."""
    async with place.watched():
        orders = place.runtime.functions["orders"]
        place.path.write_text(CONFIG.replace("function_name: audit", "function_name: odit"))
        await place.until(lambda: place.logged("configuration refused, the old one runs on"))
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: len(place.logged("configuration refused, the old one runs on")) == 2)
        assert place.runtime.functions["orders"] is orders
        place.path.write_text(CONFIG)
        await place.until(lambda: place.logged("changed code is applied"))
        assert place.runtime.functions["orders"] is not orders
    assert place.logged("configuration refused, the old one runs on")[0]["faults"][0].startswith(f"{place.path}:7: ")


async def test_a_burst_is_applied_once(place: Place) -> None:
    """A checkout of thousands of files, new folders among them, is one change."""
    async with place.watched():
        for number in range(40):
            folder = place.folder / "orders" / f"package_{number}"
            folder.mkdir()
            for each in range(50):
                (folder / f"m{each}.py").write_text("")
        await place.until(lambda: place.logged("changed code is applied"))
        # Another change afterwards is another line, so nothing of the first came in between.
        (place.folder / "audit" / "app.py").write_text(CODE * 2)
        await place.until(lambda: place.logged("changed code is applied")[-1]["function"] == "audit")
    lines = place.logged("changed code is applied")
    assert [line["function"] for line in lines] == ["orders", "audit"]
    assert lines[0]["files"][-1] == "and 1997 more"


async def test_a_folder_that_is_made_again_is_watched_again(place: Place) -> None:
    """While it is gone the old code runs on, and that is said."""
    async with place.watched():
        orders = place.runtime.functions["orders"]
        shutil.rmtree(place.folder / "orders")
        await place.until(lambda: place.logged("configuration refused, the old one runs on"))
        assert place.runtime.functions["orders"] is orders
        (place.folder / "orders").mkdir()
        (place.folder / "orders" / "app.py").write_text(CODE)
        await place.until(lambda: place.logged("changed code is applied"))
        renewed = place.runtime.functions["orders"]
        (place.folder / "orders" / "app.py").write_text(CODE * 3)
        await place.until(lambda: place.runtime.functions["orders"] is not renewed)


async def test_a_watching_that_dies_is_said_and_begins_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed meanwhile is found by looking."""
    monkeypatch.setattr("pollers.supervisor.service.RESTART_SECONDS", (0.05, 0.05))
    real, full = RustNotify, [True, True]

    def sometimes_full(*arguments: Any) -> object:  # noqa: ANN401 - as the library takes them
        if full:
            full.pop()
            (place.folder / "orders" / "app.py").write_text(CODE * 4)
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(bell, "RustNotify", sometimes_full)
    with structlog.testing.capture_logs() as place.lines:
        async with anyio.create_task_group() as group:
            group.start_soon(place.runtime.run)
            await place.until(lambda: place.logged("watching code and configuration"))
            full.append(True)
            (place.folder / "orders" / "new").mkdir()
            await place.until(lambda: place.watcher.restarts == 3)
            await place.until(lambda: place.logged("changed code is applied"))
            place.runtime.stop()
    said = place.logged("service broke down and starts again")
    assert {line["service"] for line in said} == {"watch"}
    assert all("fs.inotify.max_user_watches" in line["error"] for line in said)


async def test_the_stop_does_not_wait_for_anything_to_change(place: Place) -> None:
    """Watching ends at once."""
    async with place.watched():
        began = anyio.current_time()
    assert anyio.current_time() - began < 3


async def test_saves_while_a_function_is_busy_are_told_in_one_line(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And renew it twice at most: once for the save that was first, and once for all that came while that waited."""
    async with place.watched():
        await place.until(lambda: "o" in place.bench.pollers)
        [poller] = place.bench.pollers["o"]
        poller.stubborn = True
        asked: list[str] = []
        soon = place.runtime.renew_soon

        def counted(name: str, renewed: Callable[[], None], refused: Callable[[str], None]) -> None:
            asked.append(name)
            soon(name, renewed, refused)

        monkeypatch.setattr(place.runtime, "renew_soon", counted)
        for number in range(1, 6):
            (place.folder / "orders" / f"m{number}.py").write_text("")
            await place.until(partial(lambda saves: len(asked) == saves, number))
        poller.surroundings.stop.hurry()
        await place.until(lambda: place.logged("changed code is applied"))
        (place.folder / "audit" / "app.py").write_text(CODE * 2)
        await place.until(lambda: place.logged("changed code is applied")[-1]["function"] == "audit")
    assert [line["function"] for line in place.logged("changed code is applied")] == ["orders", "audit"]
    assert place.logged("changed code is applied")[0]["files"][-1] == "and 2 more"
    assert len(place.bench.pollers["o"]) <= 3


async def test_code_that_becomes_faulty_while_its_function_is_busy_is_not_taken(place: Place) -> None:
    """A sound save waits for the invocation; a faulty one after it is refused, and must not come in by the first one's turn."""
    async with place.watched():
        orders = place.runtime.functions["orders"]
        await place.until(lambda: "o" in place.bench.pollers)
        [poller] = place.bench.pollers["o"]
        poller.stubborn = True
        code = place.folder / "orders" / "app.py"
        code.write_text(CODE * 2)
        await place.until(lambda: poller.surroundings.stop.requested)
        code.write_text("def handler(event, context:\n")
        await place.until(lambda: place.logged("code refused, the old one runs on"))
        poller.surroundings.stop.hurry()
        await place.until(lambda: len(place.bench.pollers["o"]) == 2)
        assert place.runtime.functions["orders"] is orders
        assert not place.logged("changed code is applied")
        code.write_text(CODE * 3)
        await place.until(lambda: place.logged("changed code is applied"))
        assert place.runtime.functions["orders"] is not orders


async def test_a_stop_ends_a_renewal_that_waits(place: Place) -> None:
    """The shutdown stops what runs; nothing is started after it, and nothing is said to be applied."""
    async with place.watched():
        await place.until(lambda: "o" in place.bench.pollers)
        [poller] = place.bench.pollers["o"]
        poller.stubborn = True
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: poller.surroundings.stop.requested)
        place.runtime.stop()  # and a second time at the end, which hurries it
    assert place.bench.pollers["o"] == [poller]
    assert not place.logged("changed code is applied")
    assert place.runtime.exit_code == 0


async def test_code_that_does_not_load_is_refused_before_it_takes_work(place: Place) -> None:
    """It parses, so only a trial shows it. The old function and its mapping's poller go on, and hear nothing of it."""
    async with place.watched():
        await place.until(lambda: "o" in place.bench.pollers)
        orders, runner = place.runtime.functions["orders"], place.runtime.mappings["o"]
        place.unproven["orders"] = "app.py:3: KeyError: 'x'"
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: place.logged("code refused, the old one runs on"))
        assert place.runtime.functions["orders"] is orders
        assert place.runtime.mappings["o"] is runner
        assert len(place.bench.pollers["o"]) == 1
        await place.until(lambda: place.made[-1].left == 1)
        place.unproven.clear()
        (place.folder / "orders" / "app.py").write_text(CODE * 3)
        await place.until(lambda: place.logged("changed code is applied"))
        assert place.runtime.functions["orders"] is not orders
        assert place.runtime.functions["orders"].function is place.made[-1]
    [refused] = place.logged("code refused, the old one runs on")
    assert refused["faults"] == [f"{place.path}:3: functions.orders: app.py:3: KeyError: 'x'"]
    assert len(place.logged("changed code is applied")) == 1


async def test_the_fault_of_one_function_is_told_once_however_often_others_are_saved(place: Place) -> None:
    """What stands on the disk unchanged is not news."""
    async with place.watched():
        place.unproven["orders"] = "app.py:3: KeyError: 'x'"
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: place.logged("code refused, the old one runs on"))
        for number in (1, 2):
            (place.folder / "audit" / f"m{number}.py").write_text("")
            await place.until(partial(lambda n: len(place.logged("changed code is applied")) == n, number))
    assert len(place.logged("code refused, the old one runs on")) == 1


async def test_code_that_stops_loading_while_its_function_is_busy_is_not_taken(place: Place) -> None:
    """A sound save waits for the invocation; one after it that does not load takes its place away, and leaves the old one."""
    async with place.watched():
        orders = place.runtime.functions["orders"]
        await place.until(lambda: "o" in place.bench.pollers)
        [poller] = place.bench.pollers["o"]
        poller.stubborn = True
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: poller.surroundings.stop.requested)
        place.unproven["orders"] = "app.py:3: KeyError: 'x'"
        (place.folder / "orders" / "app.py").write_text(CODE * 3)
        await place.until(lambda: place.logged("code refused, the old one runs on"))
        poller.surroundings.stop.hurry()
        await place.until(lambda: len(place.bench.pollers["o"]) == 2)
        assert place.runtime.functions["orders"] is orders
    assert not place.logged("changed code is applied")


async def test_a_configuration_with_which_code_does_not_load_is_refused_whole(place: Place) -> None:
    """A variable of the environment that is missing now, say: the fault stands where the function does."""
    async with place.watched():
        orders = place.runtime.functions["orders"]
        place.unproven["orders"] = "app.py:3: KeyError: 'TABLE'"
        changed = CONFIG.replace("orders: {", "orders: {environment: {TABEL: x}, ")
        place.path.write_text(changed.replace("audit: {", "audit: {timeout: 7, "))
        await place.until(lambda: place.logged("configuration refused, the old one runs on"))
        assert place.runtime.functions["orders"] is orders
        assert place.runtime.functions["audit"].model.timeout != 7
        place.unproven.clear()
        place.path.write_text(CONFIG.replace("orders: {", "orders: {environment: {TABLE: x}, "))
        await place.until(lambda: place.logged("configuration reloaded"))
        assert place.runtime.functions["orders"] is not orders
    [refused] = place.logged("configuration refused, the old one runs on")
    assert refused["faults"] == [f"{place.path}:3: functions.orders: app.py:3: KeyError: 'TABLE'"]


async def test_code_that_is_taken_with_the_configuration_is_told_too(place: Place) -> None:
    """One line says that; the next save's line has nothing of it."""
    async with place.watched():
        place.path.write_text(CONFIG.replace("orders: {", "orders: {timout: 9, "))
        await place.until(lambda: place.logged("configuration refused, the old one runs on"))
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: len(place.logged("configuration refused, the old one runs on")) == 2)
        place.path.write_text(CONFIG.replace("orders: {", "orders: {timeout: 9, "))
        await place.until(lambda: place.logged("changed code is applied"))
        assert place.logged("configuration reloaded")
        (place.folder / "orders" / "more.py").write_text("")
        await place.until(lambda: len(place.logged("changed code is applied")) == 2)
    lines = place.logged("changed code is applied")
    assert [[path.rpartition("/")[2] for path in line["files"]] for line in lines] == [["app.py"], ["more.py"]]


async def test_what_a_reload_has_tried_is_what_it_takes(place: Place) -> None:
    """A renewal that waits for its function's invocation meanwhile tried the model from before: it must not take it away."""
    async with place.watched():
        await place.until(lambda: "o" in place.bench.pollers)
        [poller] = place.bench.pollers["o"]
        poller.stubborn = True
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: poller.surroundings.stop.requested)
        made = len(place.made)
        place.path.write_text(CONFIG.replace("orders: {", "orders: {timeout: 9, "))
        await place.until(lambda: len(place.made) > made and place.made[-1].proved)
        poller.surroundings.stop.hurry()
        await place.until(lambda: place.logged("configuration reloaded"))
        function = place.runtime.functions["orders"].function
        assert isinstance(function, FakeFunction)
        assert (function.timeout_seconds, function.proved) == (9, 1)
    assert len(place.logged("changed code is applied")) == 1


async def test_a_reload_tries_what_it_changes_first(place: Place) -> None:
    """Without anybody watching, too."""
    place.runtime.services = ()
    async with anyio.create_task_group() as group:
        group.start_soon(place.runtime.run)
        await place.until(lambda: "o" in place.bench.pollers)
        orders = place.runtime.functions["orders"]
        place.unproven["orders"] = "no"
        place.path.write_text(CONFIG.replace("orders: {", "orders: {timeout: 9, "))
        done = await reload_from(place.runtime, place.path)
        assert [fault.endswith("functions.orders: no") for fault in done.faults] == [True]
        assert place.runtime.functions["orders"] is orders
        place.unproven.clear()
        assert (await reload_from(place.runtime, place.path)).functions == ["orders"]
        assert place.runtime.functions["orders"].function is place.made[-1]
        place.runtime.stop()


async def test_every_function_keeps_its_code_before_anything_is_changed(place: Place) -> None:
    """Also one that nobody calls: its first invocation may come when faulty code is on the disk."""
    place.path.write_text(CONFIG.split("event_source_mappings")[0] + "event_source_mappings: {}\n")
    place.runtime.config = place.runtime.given = load(place.path).config
    async with place.watched():
        assert {name: host.function is not None for name, host in place.runtime.functions.items()} == {
            "orders": True,
            "audit": True,
        }
        assert place.runtime.copied


async def test_a_mapping_whose_function_alone_changes_is_not_said_to_stop(place: Place) -> None:
    """Neither while it waits for its invocations, nor when it begins; one that the configuration changes is another matter."""
    async with place.watched():
        await place.until(lambda: "o" in place.bench.pollers)
        [poller] = place.bench.pollers["o"]
        poller.stubborn = True
        old = place.runtime.mappings["o"]
        (place.folder / "orders" / "app.py").write_text(CODE * 2)
        await place.until(lambda: poller.surroundings.stop.requested)
        assert going_on(old)
        old.pause()
        assert not going_on(old)
        old.resume()
        poller.surroundings.stop.hurry()
        await place.until(lambda: place.logged("changed code is applied"))
        assert going_on(place.runtime.mappings["o"])
        renewed = place.runtime.mappings["o"]
        place.path.write_text(CONFIG.replace("function_name: orders}", "function_name: orders, batch_size: 3}"))
        await place.until(lambda: place.logged("configuration reloaded"))
        assert not going_on(renewed)
        assert not going_on(place.runtime.mappings["o"])
