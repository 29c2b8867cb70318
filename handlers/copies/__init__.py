"""Copies of functions' code, so that what is saved meanwhile does not reach what runs, and the folders that they are in.

Imports nothing but ``handlers``.
"""

from __future__ import annotations

from handlers.copies.aside import ENVIRONMENT_MARK, FOLDERS
from handlers.copies.copying import LIMIT_BYTES, NotCopied, copy_folder
from handlers.copies.kept import Copies
from handlers.copies.naming import own_name, renamed
from handlers.copies.scratch import Scratch

__all__ = [
    "ENVIRONMENT_MARK",
    "FOLDERS",
    "LIMIT_BYTES",
    "Copies",
    "NotCopied",
    "Scratch",
    "copy_folder",
    "own_name",
    "renamed",
]
