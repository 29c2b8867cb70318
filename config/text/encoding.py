"""From the bytes of a file to its text: UTF-8, or UTF-16 with its mark, as PowerShell's ``>`` writes it."""

from __future__ import annotations

import codecs

from config.text.nodes import Unparsable
from config.text.places import Place

_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAVE = "in PowerShell: Get-Content FILE -Encoding Unicode | Set-Content NEW -Encoding utf8"


def decoded(data: bytes, file: str) -> str:
    """The text, without its mark. Raises :class:`Unparsable` with the line in ``file``, for an encoding without a mark, too."""
    encoding = "utf-16" if data.startswith(_MARKS) else "utf-8-sig"
    if b"\0" in data[2:4] and (b"\0" in data[:2] or data[2:4] == b"\0\0"):
        raise Unparsable(Place(file, 1), f"found text in another encoding, expected UTF-8 ({_SAVE})")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        called = "UTF-8" if encoding == "utf-8-sig" else "UTF-16, as its first two bytes say"
        found = f"found the byte 0x{data[error.start]:02x}, expected text in {called}"
        raise Unparsable(Place(file, line), found) from error
