"""The process: what is started, watched, reloaded and stopped, and in what order.

Who owns which task::

    runtime.Runtime.run             one task group; every task below is in it
      mapping.MappingRunner.run     one a mapping, until it is removed or the process ends
        the poller, and a watch over its function and its stop
      service.ServiceRunner.run     one a service: what calls functions beside the mappings
      functions.FunctionHost.run    one a function, waiting until somebody asks for the function
      the ledger's log line, --until-idle
    shutdown.Shutdown               runs in the task of Runtime.run: it owns nothing and outlives all mappings
    ending.Ending                   a thread: it ends the process in time, even when the event loop hangs

The order of a start: functions first, since each mapping asks its host at once; nothing is entered by that. The order of a
stop: mappings and services before functions, since what a function still answers is acknowledged; functions before the stores and
connections that :mod:`pollers.assembly` opened around them. The order of a reload: the mappings concerned end, then functions
are renewed, then the mappings start; the others never notice.

What a crash leaves: a mapping's fault stays inside its :class:`pollers.supervisor.mapping.MappingRunner`, which makes a new
poller after a pause. A fault in the runtime's own task ends the process as a kill would; every promise bears that. Between two
steps of a reload, a stop finds mappings that have ended and not been replaced: they hold nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.supervisor.ending import LAST_LINES_SECONDS, Ending
    from pollers.supervisor.loading import inspect_functions, load_checked, load_runnable
    from pollers.supervisor.mapping import MappingRunner, MappingState
    from pollers.supervisor.reloading import log_notes, reload_from, renew_from
    from pollers.supervisor.runtime import Runtime
    from pollers.supervisor.service import Books, Service, ServiceRunner

__all__ = [
    "LAST_LINES_SECONDS",
    "Books",
    "Ending",
    "MappingRunner",
    "MappingState",
    "Runtime",
    "Service",
    "ServiceRunner",
    "inspect_functions",
    "load_checked",
    "load_runnable",
    "log_notes",
    "reload_from",
    "renew_from",
]
__getattr__ = lazily(
    __name__,
    {
        "ending": "Ending LAST_LINES_SECONDS",
        "loading": "inspect_functions load_checked load_runnable",
        "mapping": "MappingRunner MappingState",
        "reloading": "log_notes reload_from renew_from",
        "runtime": "Runtime",
        "service": "Books Service ServiceRunner",
    },
)
