"""Everything deployed that a source tells of: functions first, then what calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.importing.deployed import calls, mappings, schedules
from pollers.importing.deployed.functions import Functions

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.importing.deployed.document import Document
    from pollers.importing.model import Imported
    from pollers.importing.running import Code


class Deployment:
    """Adds resources to what is imported. Add all functions before anything that names one.

    ``code_of`` finds a function's code on this machine.
    """

    def __init__(self, imported: Imported, code_of: Callable[[Document], Code]) -> None:
        self._imported = imported
        self._functions = Functions(imported, code_of)

    def told_of(self, arn: str) -> None:
        """Remember a function's ARN, for resources that name it only."""
        self._functions.told_of(arn)

    def function(self, document: Document) -> None:
        """Add a function."""
        self._functions.add(document)

    def event_invoke_config(self, document: Document) -> None:
        """Add what becomes of a function's asynchronous invocations."""
        calls.add_call(self._imported, self._functions, "event_invoke_config", document)

    def function_url(self, document: Document) -> None:
        """Add a function's URL."""
        calls.add_call(self._imported, self._functions, "function_url", document)

    def mapping(self, document: Document, service: str | None = None) -> None:
        """Add an event source mapping. ``service`` is that of its source, where its ARN does not tell."""
        mappings.add_mapping(self._imported, self._functions, document, service)

    def schedule(self, document: Document) -> None:
        """Add a schedule of EventBridge Scheduler."""
        schedules.add_schedule(self._imported, self._functions, document)

    def rule(self, document: Document, targets: list[Document]) -> None:
        """Add a rule of EventBridge with its targets."""
        schedules.add_rule(self._imported, self._functions, document, targets)
