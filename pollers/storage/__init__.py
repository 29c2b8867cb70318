"""Stores on this machine's disk: SQLite files with one owner, and a thread that writes for the event loop.

Imports no other room. :mod:`session` holds a file, :mod:`writer` is its thread and shares transactions between those who write at
the same time, :mod:`lock` keeps other processes out, :mod:`database` and :mod:`files` open and make files, :mod:`kind` says what
kind of store a file is, :mod:`privacy` closes files to other users, :mod:`seals` are checksums of rows. What a store holds is
known to the rooms that keep one.
"""

from __future__ import annotations

from pollers.storage.errors import StoreBusy, StoreDamaged, StoreError, StoreUnreadable, StoreUnwritable
from pollers.storage.kind import StoreKind

__all__ = ["StoreBusy", "StoreDamaged", "StoreError", "StoreKind", "StoreUnreadable", "StoreUnwritable"]
