"""Deployment packages, made in memory."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zipfile import ZipInfo


def package(*files: tuple[str | ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files, by path."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", method) as opened:
        for name, content in files:
            opened.writestr(name, content, compress_type=method)
    return kept.getvalue()


APP = package(("app.py", b"def handler(event, context):\n    return {'echo': event}\n"))
"""A function that answers with its event."""
