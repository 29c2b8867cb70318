"""The code that a host's function runs: the copy that was accepted, for as long as the host lives."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.errors import FunctionUnusable
from pollers.functions import FunctionHost, Functions
from tests.unit.functions.fakes import SlowFunction, models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from config.models import FunctionModel
    from handlers.copies import Copies


class ReadsItsCode(SlowFunction):
    """Copies a folder when it is entered, as functions in workers do."""

    code: Path
    text = ""
    copies: Copies | None = None
    folder: Path

    def run_copies(self, copies: Copies) -> None:
        self.copies = copies

    async def __aenter__(self) -> SlowFunction:
        self.folder = self.code
        if self.copies is not None:
            self.folder = self.copies.of(self.name, self.code, lambda own, target: own)
        self.text = (self.folder / "app.py").read_text()
        await super().__aenter__()
        return self


class Place:
    """Functions of one folder."""

    def __init__(self, code: Path) -> None:
        self.file = code / "app.py"
        self.made: list[ReadsItsCode] = []
        self.problem: Exception | None = None

    def make(self, name: str, model: FunctionModel) -> ReadsItsCode:
        self.made.append(ReadsItsCode(name, model, problem=self.problem))
        self.made[-1].code = self.file.parent
        return self.made[-1]

    @asynccontextmanager
    async def functions(self, *, copied: bool) -> AsyncIterator[Functions]:
        """One function."""
        functions = Functions(self.make, lambda name: copied)
        async with anyio.create_task_group() as group:
            functions.start(group, models(one=1))
            yield functions
            functions.close()
        assert not functions.unfinished

    @asynccontextmanager
    async def running(self, *, copied: bool) -> AsyncIterator[FunctionHost]:
        """Its host."""
        async with self.functions(copied=copied) as functions:
            yield functions["one"]


@pytest.mark.parametrize("copied", [True, False])
async def test_a_function_that_broke_down_goes_on_with_the_code_that_it_ran(tmp_path: Path, copied: bool) -> None:
    """And not with what was saved meanwhile, which may have been refused. Without copies it takes what is there."""
    place = Place(tmp_path)
    place.file.write_text("old")
    async with place.running(copied=copied) as host:
        await host.get()
        place.file.write_text("new")
        place.made[0].break_down.set()
        await host.breakdown.until_hurried()
        await host.get()
        assert [made.text for made in place.made] == ["old", "old" if copied else "new"]
        folder = place.made[1].folder
    assert folder.exists() is not copied


async def test_a_function_that_could_not_be_entered_takes_what_is_there_next_time(tmp_path: Path) -> None:
    """Repairing the code on the disk is enough."""
    place = Place(tmp_path)
    place.file.write_text("broken")
    place.problem = FunctionUnusable("broken")
    async with place.running(copied=True) as host:
        with pytest.raises(FunctionUnusable, match="broken"):
            await host.get()
        place.file.write_text("repaired")
        place.problem = None
        await host.get()
        assert [made.text for made in place.made] == ["broken", "repaired"]


async def test_a_function_that_is_renewed_for_another_reason_than_its_code_keeps_that(tmp_path: Path) -> None:
    """Its first mapping may bring it another region. What has been saved meanwhile was not tried, or was refused."""
    place = Place(tmp_path)
    place.file.write_text("old")
    async with place.functions(copied=True) as functions:
        await functions["one"].get()
        place.file.write_text("refused")
        await functions.apply(models(one=1), ["one"])
        await functions["one"].get()
        await functions.apply(models(one=1), ["one"])
        await functions["one"].get()
        assert [made.text for made in place.made] == ["old"] * 3
        assert [made.left for made in place.made] == [1, 1, 0]
        folder = place.made[2].folder
        changed = models(one=2)
        await functions.apply({"one": changed["one"].model_copy(update={"timeout": 9})}, ["one"])
        await functions["one"].get()
        assert place.made[3].text == "refused"
        assert not folder.exists()
