"""What the rooms of ``handlers`` export."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import handlers

ROOMS = [
    "handlers",
    *sorted(f"handlers.{path.parent.name}" for path in Path(handlers.__file__).parent.glob("*/__init__.py")),
]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_exports_what_it_says(room: str) -> None:
    """Each name of ``__all__`` is there, and none is a file's name: an imported file would take the place of the export."""
    module = importlib.import_module(room)
    files = {path.stem for path in Path(module.__path__[0]).glob("*.py")}

    assert module.__all__
    for name in module.__all__:
        getattr(module, name)
    assert not files & set(module.__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_does_not_export_is_missing(room: str) -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match=room):
        importlib.import_module(room).nothing_of_this_name  # noqa: B018 - it raises


def test_a_rooms_files_are_imported_when_a_name_is_used() -> None:
    """And only the file that has the name: a check needs the interpreter's, not what runs workers."""
    code = """
import sys
from handlers.workers import MAIN
print(sorted(name for name in sys.modules if name.startswith("handlers.workers.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "['handlers.workers.interpreter']"


def test_a_name_replaced_in_its_file_is_replaced_in_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked for it before: a test that replaces a name must not depend on the tests before it."""
    room = importlib.import_module("handlers.system")
    assert room.keep_memory_private is not None

    monkeypatch.setattr("handlers.system.memory_privacy.keep_memory_private", "replaced")

    assert room.keep_memory_private == "replaced"
