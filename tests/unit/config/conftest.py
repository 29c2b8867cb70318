"""A folder to write configurations into, with the code that their functions name."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from config import ConfigError, Loaded, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from config.models import FunctionModel, Mapping

NOW = datetime(2026, 1, 1, tzinfo=UTC)

FUNCTION = """\
functions:
  orders: {code: ., handler: app.handler}
"""


@dataclass
class Folder:
    """Where a test's configuration lives. ``environ`` is all of the environment that it sees."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)
    checks: tuple[Callable[[Mapping], Iterable[tuple[tuple[str | int, ...], str, bool]]], ...] = ()

    def write(self, text: str, name: str = "headrace.yaml") -> Path:
        """Write a file, its text dedented."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def load(self, text: str | None = None, name: str = "headrace.yaml") -> Loaded:
        """Load a file with this text, or the whole folder."""
        path = self.path if text is None else self.write(text, name)
        return load(path, environ=self.environ, checks=self.checks, now=NOW)

    def faults(self, text: str | None = None, name: str = "headrace.yaml") -> list[str]:
        """The faults that loading this text gives, each as it is printed, without the folder's own path."""
        with pytest.raises(ConfigError) as raised:
            self.load(text, name)
        return [str(fault).replace(f"{self.path}/", "") for fault in raised.value.faults]

    def function(self, settings: str) -> FunctionModel:
        """The function ``f`` with these settings, in YAML's flow style."""
        return self.load(f"functions:\n  f: {{{settings}}}\n").config.functions["f"]

    def function_faults(self, settings: str) -> list[str]:
        """The faults of such a function, without file, line and its own path."""
        prefix = "headrace.yaml:2: functions.f"
        found = self.faults(f"functions:\n  f: {{{settings}}}\n")
        return [fault.removeprefix(prefix).removeprefix(".").removeprefix(": ") for fault in found]

    def mapping(self, text: str) -> Mapping:
        """The mapping called ``m`` whose settings are ``text``, with a function ``orders`` beside it."""
        return self.load(with_function(text)).config.event_source_mappings["m"]

    def mapping_faults(self, text: str) -> list[str]:
        """The faults of such a mapping, without file, line and the mapping's own path."""
        prefix = "event_source_mappings.m"
        found = [fault.split(": ", 1)[1] for fault in self.faults(with_function(text))]
        return [fault.removeprefix(prefix).removeprefix(".").removeprefix(": ") for fault in found]


def with_function(mapping: str) -> str:
    """A whole file around the settings of one mapping, ``m``; its first line is line 5."""
    return (
        FUNCTION
        + "event_source_mappings:\n  m:\n"
        + textwrap.indent(textwrap.dedent(mapping).strip("\n"), "    ")
        + "\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder but for the module ``app``."""
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    return Folder(tmp_path)
