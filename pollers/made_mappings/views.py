"""Made mappings that do not run, for whoever shows it: status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.made_mappings.register import MappingRegister

if TYPE_CHECKING:
    from collections.abc import Iterable


def waiting_documents(services: Iterable[object]) -> list[dict[str, str]]:
    """Each made mapping that waits, and why, from the services of a process."""
    made = next((service for service in services if isinstance(service, MappingRegister)), None)
    if made is None:
        return []
    return [
        {
            "name": name,
            "source": (model := made.one(name).model).event_source_arn,
            "function": model.function_name,
            "reason": reason,
        }
        for name, reason in made.waiting().items()
    ]
