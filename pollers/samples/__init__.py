"""Sample events: a document for each service that invokes functions by itself, for handlers to be tried with.

A decider: the time, the place and random numbers are arguments (:class:`Circumstances`). A document is made anew each time, with
ids and times of its own, as no two events of a service are alike: a handler that remembers ids would take a second one with the
same id for a repetition. :mod:`catalogue` has them all by name; each other file has the services of one family.

May import :mod:`config`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.samples.catalogue import SAMPLES, UnknownSample, sample_named, suggestions
    from pollers.samples.editing import ChangeRefused, edited
    from pollers.samples.sample import Circumstances, Document, Sample

__all__ = [
    "SAMPLES",
    "ChangeRefused",
    "Circumstances",
    "Document",
    "Sample",
    "UnknownSample",
    "edited",
    "sample_named",
    "suggestions",
]
__getattr__ = lazily(
    __name__,
    {
        "catalogue": "SAMPLES UnknownSample sample_named suggestions",
        "editing": "ChangeRefused edited",
        "sample": "Circumstances Document Sample",
    },
)
