"""A checkpoint store that is opened by the first mapping that needs it, and mappings that leave for good."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from pollers.checkpoints import ShardCheckpoint, SqliteStore, StoreBusy, StoreWhenNeeded
from pollers.checkpoints.inspection import look

if TYPE_CHECKING:
    from pathlib import Path


async def test_there_is_no_file_before_the_first_mapping(tmp_path: Path) -> None:
    """Then there is one, and its owner leaves it when the store is left."""
    path = tmp_path / "checkpoints.db"
    async with StoreWhenNeeded(partial(SqliteStore, path)) as store:
        assert not path.exists()
        opened = await store.open("clicks", "stream")
        await opened.checkpoints.pin({"shard": ShardCheckpoint()})
    async with SqliteStore(path) as again:
        assert not (await again.open("clicks", "stream")).fresh


async def test_a_store_that_cannot_be_opened_is_asked_again(tmp_path: Path) -> None:
    """The mapping that needs it backs off, and finds it open when its owner has gone."""
    path = tmp_path / "checkpoints.db"
    async with StoreWhenNeeded(partial(SqliteStore, path)) as store:
        async with SqliteStore(path):
            with pytest.raises(StoreBusy):
                await store.open("clicks", "stream")
        assert (await store.open("clicks", "stream")).fresh


async def test_a_forgotten_mapping_leaves_nothing_behind(tmp_path: Path) -> None:
    """The others keep theirs, and the file is sound."""
    path = tmp_path / "checkpoints.db"
    async with StoreWhenNeeded(partial(SqliteStore, path)) as store:
        for name in ("clicks", "users"):
            opened = await store.open(name, "stream")
            await opened.checkpoints.pin({"shard": ShardCheckpoint()})
        await store.forget("clicks")
        await store.forget("nobody")
    assert [found.name for found in look(path)] == ["users"]
