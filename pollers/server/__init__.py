"""Health, metrics, console and control over HTTP, inside ``headrace run``.

May import every room of :mod:`pollers` but the commands and the demo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.server.app import Parts, make_app
    from pollers.server.control import Control
    from pollers.server.guard import Access
    from pollers.server.making_tokens import token_kept
    from pollers.server.serve import serving
    from pollers.server.token_files import Found, MadeToken, token_in, tokens_for

__all__ = [
    "Access",
    "Control",
    "Found",
    "MadeToken",
    "Parts",
    "make_app",
    "serving",
    "token_in",
    "token_kept",
    "tokens_for",
]
__getattr__ = lazily(
    __name__,
    {
        "app": "Parts make_app",
        "control": "Control",
        "guard": "Access",
        "making_tokens": "token_kept",
        "serve": "serving",
        "token_files": "Found MadeToken token_in tokens_for",
    },
)
