"""Functions that Lambda's API made of packages: kept in the state, and run beside those that the configuration gives.

May import :mod:`pollers.supervisor`, which runs them: the configuration that runs is the file's, completed by what was made, and a
change is applied as a reload applies one. :class:`FunctionRegister` holds them. :mod:`made` are the values, :mod:`archive` judges
packages, :mod:`folders` unpacks them, :mod:`runtimes` and :mod:`reading` make models of settings, :mod:`completing` decides which
functions run. :mod:`documents` writes and reads them as text, :mod:`store` is the seam to the disk, :mod:`tables` its table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.made_functions.entry import Entry
    from pollers.made_functions.errors import (
        AlreadyThere,
        ArchiveRefused,
        ArchiveTooLarge,
        Changing,
        GivenByFile,
        MadeFunctionError,
        Misfit,
        NotKept,
        NotThere,
    )
    from pollers.made_functions.folders import CodeFolders
    from pollers.made_functions.made import Code, MadeFunction
    from pollers.made_functions.register import FunctionRegister
    from pollers.made_functions.runtimes import RUNTIMES
    from pollers.made_functions.store import FunctionRows, MemoryRows, StateRows
    from pollers.made_functions.tables import TABLES

__all__ = [
    "RUNTIMES",
    "TABLES",
    "AlreadyThere",
    "ArchiveRefused",
    "ArchiveTooLarge",
    "Changing",
    "Code",
    "CodeFolders",
    "Entry",
    "FunctionRegister",
    "FunctionRows",
    "GivenByFile",
    "MadeFunction",
    "MadeFunctionError",
    "MemoryRows",
    "Misfit",
    "NotKept",
    "NotThere",
    "StateRows",
]
__getattr__ = lazily(
    __name__,
    {
        "entry": "Entry",
        "errors": "AlreadyThere ArchiveRefused ArchiveTooLarge Changing GivenByFile MadeFunctionError Misfit NotKept NotThere",
        "folders": "CodeFolders",
        "register": "FunctionRegister",
        "made": "Code MadeFunction",
        "runtimes": "RUNTIMES",
        "store": "FunctionRows MemoryRows StateRows",
        "tables": "TABLES",
    },
)
