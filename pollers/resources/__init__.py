"""What Lambda's API made of functions, over what the configuration gives: event invoke configs, URLs, reserved concurrency, policies.

:class:`Resources` holds them and keeps them in the state (:mod:`pollers.state`); whoever invokes asks it for a function's settings,
each time anew. :mod:`made` are the values, :mod:`precedence` decides what counts, :mod:`changes` what a change makes of
them, :mod:`documents` writes and reads them as text, :mod:`store` is the seam to the disk. Whoever answers requests (:mod:`pollers.lambda_api`) has Lambda's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.resources.errors import AlreadyMade, GivenByConfiguration, NotMade, ResourceError
    from pollers.resources.made import Invoking, Made, Seen, Url
    from pollers.resources.precedence import FunctionSettings
    from pollers.resources.resources import Resources
    from pollers.resources.store import MemoryRows, ResourceRows

__all__ = [
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
    "Url",
]
__getattr__ = lazily(
    __name__,
    {
        "errors": "AlreadyMade GivenByConfiguration NotMade ResourceError",
        "made": "Invoking Made Seen Url",
        "precedence": "FunctionSettings",
        "resources": "Resources",
        "store": "MemoryRows ResourceRows",
    },
)
