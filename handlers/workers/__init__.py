"""Functions in worker processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handlers.workers.function import WorkerFunction
    from handlers.workers.provided import prepare_provided
    from handlers.workers.python import prepare_python

__all__ = ["WorkerFunction", "prepare_provided", "prepare_python"]
_PLACES = {
    "WorkerFunction": "handlers.workers.function",
    "prepare_provided": "handlers.workers.provided",
    "prepare_python": "handlers.workers.python",
}


def __getattr__(name: str) -> object:
    """Imported when it is first used: a check of functions needs nothing of what runs them."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
