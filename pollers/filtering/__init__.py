"""Filter criteria: which records of a source a mapping's function is to see (docs/lambda 6).

:func:`compile_filters` turns a mapping's patterns into one :class:`RecordFilter`, once; a poller asks it
for every record.
:func:`check_mapping` says what is wrong with the patterns of a mapping while its configuration is loaded.
:class:`Pattern` is one event pattern by itself.
"""

from pollers.filtering.check import check_mapping
from pollers.filtering.errors import PatternError
from pollers.filtering.pattern import Pattern
from pollers.filtering.records import RecordFilter, compile_filters

__all__ = ["Pattern", "PatternError", "RecordFilter", "check_mapping", "compile_filters"]
