"""``python -m pollers`` is ``headrace``."""

from pollers.entry import main

main()
