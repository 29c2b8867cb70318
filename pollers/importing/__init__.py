"""Importing: from what a team has (templates, states, an account) to a configuration that a person likes to read.

Each tool's language has a room of its own (:mod:`cloudformation` and its neighbours), which makes :class:`Imported`, the one
neutral model: functions, mappings and schedules with where each came from, and with what could not be known. :mod:`writing` makes
the text of it, the same for all. :mod:`forms` below knows which tools there are: a new one is one :class:`SourceForm` and one line
there.

May import :mod:`config`. Nothing here calls AWS, but the form that reads a live account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.importing.fitting import fit, settings_for
    from pollers.importing.form import Request, Source, SourceForm, SourceUnreachable
    from pollers.importing.model import Imported, Member, Origin
    from pollers.importing.trees import read_tree
    from pollers.importing.values import JsonText, LocalPath, NameOf, Unknown, Value, joined
    from pollers.importing.writing import Written, write

__all__ = [
    "Imported",
    "JsonText",
    "LocalPath",
    "Member",
    "NameOf",
    "Origin",
    "Request",
    "Source",
    "SourceForm",
    "SourceUnreachable",
    "Unknown",
    "Value",
    "Written",
    "fit",
    "joined",
    "read_tree",
    "settings_for",
    "write",
]
__getattr__ = lazily(
    __name__,
    {
        "fitting": "fit settings_for",
        "form": "Request Source SourceForm SourceUnreachable",
        "model": "Imported Member Origin",
        "trees": "read_tree",
        "values": "JsonText LocalPath NameOf Unknown Value joined",
        "writing": "Written write",
    },
)
