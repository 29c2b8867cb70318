"""Mappings that Lambda's API made: kept in the state, and run beside those that the configuration gives.

May import :mod:`pollers.supervisor`, which runs them: the configuration that runs is the file's, completed by what was made, and a
change is applied as a reload applies one. :class:`MappingRegister` (:mod:`register`) holds them as :mod:`entry` has each, and
:mod:`settling` applies them. :mod:`made` are the values, :mod:`reading` makes models of them, :mod:`probing` asks whether a source
exists, :mod:`completing` decides which of them run, :mod:`states` what they are called. :mod:`documents` writes and reads them as
text, :mod:`store` is the seam to the disk, :mod:`tables` its table, :mod:`views` what is shown of them. :mod:`unserved`
says where nothing runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.made_mappings.errors import (
        AlreadyMapped,
        GivenByFile,
        InUse,
        MadeMappingError,
        Misfit,
        NoFunction,
        NoSource,
        NotThere,
    )
    from pollers.made_mappings.made import MadeMapping
    from pollers.made_mappings.register import MappingRegister
    from pollers.made_mappings.registered import Registered
    from pollers.made_mappings.store import MappingRows, MemoryRows, StateRows
    from pollers.made_mappings.tables import TABLES
    from pollers.made_mappings.unserved import say_unserved

__all__ = [
    "TABLES",
    "AlreadyMapped",
    "GivenByFile",
    "InUse",
    "MadeMapping",
    "MadeMappingError",
    "MappingRegister",
    "MappingRows",
    "MemoryRows",
    "Misfit",
    "NoFunction",
    "NoSource",
    "NotThere",
    "Registered",
    "StateRows",
    "say_unserved",
]
__getattr__ = lazily(
    __name__,
    {
        "errors": "AlreadyMapped GivenByFile InUse MadeMappingError Misfit NoFunction NoSource NotThere",
        "made": "MadeMapping",
        "register": "MappingRegister",
        "registered": "Registered",
        "store": "MappingRows MemoryRows StateRows",
        "tables": "TABLES",
        "unserved": "say_unserved",
    },
)
