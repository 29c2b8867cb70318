"""Filter criteria: which records of a source a mapping's function receives (docs/lambda 6).

:func:`compile_filters` turns a mapping's patterns into one :class:`RecordFilter`, once; a poller asks it for every record.
:func:`check_filters` finds the faults of a mapping's patterns while its configuration is loaded. Both get the :class:`View` or the
:class:`RecordShape` that the kind of source declares. :class:`Pattern` is one event pattern by itself.

May import :mod:`config`, :mod:`pollers.jsontext` and the types of :mod:`pollers.aws`.
"""

from pollers.filtering.check import check_filters
from pollers.filtering.errors import PatternError
from pollers.filtering.pattern import Pattern
from pollers.filtering.records import RecordFilter, compile_filters
from pollers.filtering.views import RecordShape, View

__all__ = ["Pattern", "PatternError", "RecordFilter", "RecordShape", "View", "check_filters", "compile_filters"]
