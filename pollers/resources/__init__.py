"""What Lambda's API made of functions, over what their configuration gives: event invoke configs, URLs, concurrency, policies.

:class:`Resources` holds them and keeps them in the state (:mod:`pollers.state`). Whoever invokes asks it for a function's settings,
each time anew. :mod:`made` are the values, :mod:`precedence` decides what counts, :mod:`changes` what a change makes of them.
:mod:`documents` writes and reads them as text, :mod:`store` is the seam to the disk, :mod:`tables` its table. Whoever answers
requests has Lambda's words for all this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.resources.errors import AlreadyMade, GivenByConfiguration, NotMade, ResourceError
    from pollers.resources.made import Invoking, Made, Seen, Url
    from pollers.resources.precedence import FunctionSettings
    from pollers.resources.resources import Resources
    from pollers.resources.store import MemoryRows, ResourceRows, StateRows
    from pollers.resources.tables import TABLES

__all__ = [
    "TABLES",
    "AlreadyMade",
    "FunctionSettings",
    "GivenByConfiguration",
    "Invoking",
    "Made",
    "MemoryRows",
    "NotMade",
    "ResourceError",
    "ResourceRows",
    "Resources",
    "Seen",
    "StateRows",
    "Url",
]
__getattr__ = lazily(
    __name__,
    {
        "errors": "AlreadyMade GivenByConfiguration NotMade ResourceError",
        "made": "Invoking Made Seen Url",
        "precedence": "FunctionSettings",
        "resources": "Resources",
        "store": "MemoryRows ResourceRows StateRows",
        "tables": "TABLES",
    },
)
