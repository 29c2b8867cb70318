"""Functions live by themselves (docs/design, decision 11): their hosts, and what callers have of them."""

from __future__ import annotations

from pollers.functions.caller import Caller
from pollers.functions.host import FunctionHost, FunctionState
from pollers.functions.table import Functions

__all__ = ["Caller", "FunctionHost", "FunctionState", "Functions"]
