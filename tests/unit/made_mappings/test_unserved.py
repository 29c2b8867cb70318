"""Made mappings that nothing runs are not silent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from pollers.made_mappings import StateRows, say_unserved
from pollers.services import TABLES
from pollers.state import State

if TYPE_CHECKING:
    from pathlib import Path


async def test_mappings_without_the_api_that_made_them_are_said_once(tmp_path: Path) -> None:
    """How many, in which file, and what to do. They stay where they are."""
    async with State(tmp_path, TABLES) as state:
        for name in ("a", "b"):
            await StateRows(state).save(name, "{}")
    with structlog.testing.capture_logs() as lines:
        await say_unserved(tmp_path)
    [line] = lines
    assert (line["mappings"], line["file"]) == (2, str(tmp_path / "state.db"))
    assert "lambda_api" in line["advice"]


async def test_nothing_is_said_or_made_where_there_are_none(tmp_path: Path) -> None:
    """Neither without a state, nor with an empty one, nor with a file that is none."""
    with structlog.testing.capture_logs() as lines:
        await say_unserved(tmp_path)
        assert not os.listdir(tmp_path)
        async with State(tmp_path, TABLES):
            pass
        await say_unserved(tmp_path)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "state.db").write_text("nothing")
        await say_unserved(tmp_path / "other")
    assert lines == []
