"""What can be said about a configuration, and how it is collected with file and line."""

from config.faults.remarks import ConfigError, Fault, Finding, Note, Remark
from config.faults.report import Report

__all__ = ["ConfigError", "Fault", "Finding", "Note", "Remark", "Report"]
