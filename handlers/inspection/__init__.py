"""What can be found wrong with functions before they run, without running their code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.inspection.functions import inspect

__all__ = ["inspect"]
__getattr__ = lazily(
    __name__,
    {
        "functions": "inspect",
    },
)
