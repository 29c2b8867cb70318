"""The state of one running Headrace: a file, its owner and its writing thread."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pollers.state import schema
from pollers.storage.errors import StoreError
from pollers.storage.session import StoreSession
from pollers.storage.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from pollers.state.tables import Tables
    from pollers.storage.writer import Operation

    T = TypeVar("T")


class State:
    """``state.db`` in ``folder``, which is made where there is none. Entered before whoever uses it and left after.

    ``tables`` are those of every room that this Headrace has, whether it is configured or not. Entering raises
    :class:`~pollers.storage.errors.StoreBusy` while another process owns the file,
    :class:`~pollers.storage.errors.StoreUnreadable` for a file that is damaged, foreign or newer, which is left as it is, and
    :class:`~pollers.storage.errors.StoreUnwritable`.
    """

    def __init__(self, folder: Path, tables: Sequence[Tables]) -> None:
        self._path = Path(os.path.realpath(folder)) / schema.FILE
        self._tables = tuple(tables)
        self._writer: Writer | None = None

    @property
    def path(self) -> Path:
        """The file, links resolved: two names of one folder have one owner."""
        return self._path

    async def call(self, operation: Operation[T]) -> T:
        """Run ``operation(connection)`` in a transaction that others may share. When this returns, what it wrote is durable.

        Raises what the operation raises, and then nothing of it was written. An operation that raises a
        :class:`~pollers.storage.errors.StoreError` of its own must not have written anything. Raises
        :class:`~pollers.storage.errors.StoreUnwritable` when the disk refuses (full, read-only): nothing was written, and the
        same call works once there is room. A call that is cancelled happens whole or not. The operation runs in a thread:
        it must not touch what belongs to the event loop. It may run a second time, after what it did was rolled back because
        another operation of the same transaction failed.
        """
        if self._writer is None:
            raise StoreError(f"{self._path} is not open")
        return await self._writer.call(operation)

    def session(self) -> StoreSession:
        """What the writing thread works with."""
        connect = partial(schema.connect, tables=self._tables)
        return StoreSession(self._path, schema.STATE, connect, schema.count_commit)

    async def __aenter__(self) -> State:
        if self._writer is not None:
            raise StoreError(f"{self._path} has been entered already")
        writer = Writer(self.session(), "state")
        await writer.start()
        self._writer = writer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.stop()
