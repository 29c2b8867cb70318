"""Where the command ``headrace`` begins: signals are heeded before anything is imported that takes time."""

from __future__ import annotations

import sys

from pollers.early_signals import heed_signals_while_starting


def main() -> None:
    """``headrace``."""
    if sys.argv[1:2] == ["run"]:
        heed_signals_while_starting()
    from pollers.cli import main as headrace

    headrace(prog_name="headrace")
