"""What to run: the configuration's models and rules, and loading with file and line in every fault.

:func:`load` gives a :class:`Loaded` or raises :class:`ConfigError` with every :class:`Fault` at once.
"""

from config.arns import Arn, parse_arn
from config.faults import ConfigError, Fault, Finding, Note
from config.loading import Loaded, load
from config.models import Config

__all__ = ["Arn", "Config", "ConfigError", "Fault", "Finding", "Loaded", "Note", "load", "parse_arn"]
