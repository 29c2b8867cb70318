"""The entry point of the command ``headrace``: signal handlers are installed before anything slow is imported."""

from __future__ import annotations

import sys

from pollers.early_signals import heed_signals_while_starting


def main() -> None:
    """``headrace``."""
    if sys.argv[1:2] == ["run"]:
        heed_signals_while_starting()
    from pollers.cli import main as headrace

    headrace(prog_name="headrace")
