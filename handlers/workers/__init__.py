"""Functions in worker processes, over Lambda's Runtime API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.workers.environment import Identity, Place, worker_environment
    from handlers.workers.function import WorkerFunction
    from handlers.workers.interpreter import MAIN, InterpreterSilent, ask, worker_settings
    from handlers.workers.provided import prepare_provided
    from handlers.workers.python import prepare_python

__all__ = [
    "MAIN",
    "Identity",
    "InterpreterSilent",
    "Place",
    "WorkerFunction",
    "ask",
    "prepare_provided",
    "prepare_python",
    "worker_environment",
    "worker_settings",
]
__getattr__ = lazily(
    __name__,
    {
        "environment": "Identity Place worker_environment",
        "function": "WorkerFunction",
        "interpreter": "InterpreterSilent MAIN ask worker_settings",
        "provided": "prepare_provided",
        "python": "prepare_python",
    },
)
