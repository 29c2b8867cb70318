"""The state: what must survive a restart beside checkpoints, in one SQLite file in the folder of ``runtime.state``.

May import :mod:`pollers.storage`. It knows no room that keeps rows in it: each declares its :class:`Tables` in a file without other
imports, and the assembly gives them all to :class:`State`. :mod:`schema` decides whether a file can be used, makes it and migrates
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.state.schema import FILE
    from pollers.state.state import State
    from pollers.state.tables import Tables

__all__ = ["FILE", "State", "Tables"]
__getattr__ = lazily(__name__, {"schema": "FILE", "state": "State", "tables": "Tables"})
