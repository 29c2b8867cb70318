"""What to run: the configuration's models and rules, and loading with file and line in every fault.

:func:`load` gives a :class:`Loaded` or raises :class:`ConfigError` with every :class:`Fault` at once. The models are in
:mod:`config.models`.
"""

from config.faults import ConfigError, Fault, Finding, Note
from config.loading import Loaded, load
from config.models import Config
from config.text.arns import Arn, domain_of, parse_arn, partition_of

__all__ = [
    "Arn",
    "Config",
    "ConfigError",
    "Fault",
    "Finding",
    "Loaded",
    "Note",
    "domain_of",
    "load",
    "parse_arn",
    "partition_of",
]
