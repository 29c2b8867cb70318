"""Python packages for the emulators, at exact versions that a file beside this one lists."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

from pollers.emulators.cache import step

PINS = Path(__file__).parent / "constraints"
"""One file for each emulator, renewed by ``make constraints``."""


def environment_python(folder: Path) -> Path:
    """The interpreter of the environment that :func:`install_pinned` makes in ``folder``."""
    return folder / "venv" / "bin" / "python"


def install_pinned(name: str, requirement: str, folder: Path) -> None:
    """``requirement`` in a new environment, with pip itself and what builds packages at the versions that are pinned too.

    Raises :class:`pollers.emulators.InstallFailed`.
    """
    pins = _pins(name)
    step([sys.executable, "-m", "venv", folder / "venv"], folder=folder)
    pip: list[str | Path] = [environment_python(folder), "-m", "pip", "install", "--constraint", pins]
    step([*pip, "pip"], folder=folder)
    step([*pip, "--build-constraint", pins, requirement], folder=folder)


def pins_digest(name: str) -> str:
    """A few characters that change when the versions for ``name`` do."""
    return f"{zlib.crc32(_pins(name).read_bytes()):08x}"


def _pins(name: str) -> Path:
    return PINS / f"{name}.txt"
