"""Packages that a kind of source needs beside Headrace's own, and which are not installed with it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from config.faults import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.sources.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Extra:
    """``need`` says what for, ``modules`` what is imported, ``install`` how to get it."""

    need: str
    modules: tuple[str, ...]
    install: str

    def missing(self) -> str | None:
        """What is said where it is not installed; None where it is."""
        if all(find_spec(module) is not None for module in self.modules):
            return None
        return f"{self.need}, which is not installed: {self.install}"


def check_extra(mapping: Mapping) -> Iterator[Finding]:
    """That what the mapping's kind needs is installed."""
    if mapping.extra is not None and (missing := mapping.extra.missing()) is not None:
        yield Finding(("event_source_arn",), missing)
