"""One thing in the words of every tool becomes one configuration, with every setting of every kind of source."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from config.faults import ConfigError
from tests.unit.importing import written
from tests.unit.importing.account.test_account import imported
from tests.unit.importing.templates import imported_from
from tests.unit.importing.wanted import WANTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from tests.unit.importing.templates import Outcome
    from tests.unit.importing.wanted import Wanted

    Form = Callable[[Wanted, written.Language, Path], Path]

_OWN_DEFAULTS = {"batch_size": 10, "starting_position": "TRIM_HORIZON"}
"""Of the Serverless Framework, where the service says nothing (docs/lambda 17.5)."""


def said(model: BaseModel, *apart: str) -> dict[str, Any]:
    """What a member of a configuration says, but for how it is called; patterns as what they are."""
    found = model.model_dump(exclude={"name", "function_name", "code", *apart})
    for one in found.get("filter_criteria", {}).get("filters", []):
        one["pattern"] = json.loads(one["pattern"])
    if isinstance(found.get("input"), str):
        found["input"] = json.loads(found["input"])
    return found


@pytest.mark.parametrize("form", written.FILES, ids=lambda form: form.__name__)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=WANTED, data=st.data())
def test_every_form_says_the_same(form: Form, wanted: Wanted, data: st.DataObject) -> None:
    """It imports, and can be used when its variables are set; a second import gives the same bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "src").mkdir()
        (folder / "src" / "app.py").write_text("def handler(event, context): ...\n")
        try:
            expected = wanted.loaded(folder)
        except ConfigError:
            assume(False)
        source = form(wanted, written.Language(data), folder)
        folders = {"worker": folder / "src", "Worker": folder / "src"}
        outcome = imported_from(source, folder, code_folders=folders)
        found = outcome.loaded()
        _check(form, wanted, (expected, found))
        assert imported_from(source, folder, code_folders=folders) == outcome


def _check(form: Form, wanted: Wanted, both: tuple[Any, Any]) -> None:
    (mapping, other), (function, its) = (
        [next(iter(getattr(config, section).values())) for config in both]
        for section in ("event_source_mappings", "functions")
    )
    wanted_of_mapping = said(mapping)
    if form is written.serverless and "BatchSize" not in wanted.mapping:
        wanted_of_mapping["batch_size"] = _OWN_DEFAULTS["batch_size"]
    assert said(other) == wanted_of_mapping
    assert said(its, "handler") == said(function, "handler")
    if form is not written.serverless:
        schedules = [next(iter(config.schedules.values())) for config in both]
        assert said(schedules[1], "event") == said(schedules[0], "event")


@settings(max_examples=20, deadline=None)
@given(wanted=WANTED)
def test_an_account_says_the_same(wanted: Wanted) -> None:
    """But for where streams are read from, if Lambda reads them meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "src").mkdir()
        try:
            expected = wanted.loaded(folder)
        except ConfigError:
            assume(False)
        outcome = anyio.run(_of_account, folder, wanted)
        found = outcome.loaded(**dict.fromkeys(outcome.variables, "2025-01-01T00:00:00Z"))
        apart = ("starting_position", "starting_position_timestamp") if wanted.mapping.get("Enabled", True) else ()
        (mapping, other), (schedule, its) = (
            [next(iter(getattr(config, section).values())) for config in (expected, found)]
            for section in ("event_source_mappings", "schedules")
        )
        assert said(other, *apart) == said(mapping, *apart)
        assert said(its) == said(schedule)
        assert anyio.run(_of_account, folder, wanted) == outcome


async def _of_account(folder: Path, wanted: Wanted) -> Outcome:
    lambda_, scheduler = written.account(wanted)
    return await imported(folder, lambda_, scheduler)
