"""``python -m pollers`` is ``headrace``."""

from pollers.cli import main

main(prog_name="headrace")
