"""What messages may hold (deciders): sizes and characters that SQS and SNS refuse are found before they are sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pollers.destinations.destination import Undeliverable

if TYPE_CHECKING:
    from pollers.destinations.destination import Message

QUEUE_BYTES = 1024 * 1024
"""SQS's limit on a message with its attributes (docs/lambda 12.5)."""
TOPIC_BYTES = 256 * 1024
"""SNS's, the same way."""
BUS_BYTES = 1024 * 1024
"""EventBridge's, of an entry."""
FUNCTION_BYTES = 1024 * 1024
"""Lambda's, of an asynchronous event."""

_REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything but the characters of XML 1.0: SQS takes no others."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))
"""Those of ASCII."""
REPLACEMENT = "\ufffd"


def message_bytes(message: Message) -> int:
    """The size that the limits count: the body, and of each attribute its name, type and value."""
    attributes = message.attributes.items()
    spelled = "".join(f"{name}{given.data_type}{given.value}" for name, given in attributes)
    return len(message.body.encode()) + len(spelled.encode())


def check_size(size_bytes: int, limit_bytes: int, what: str) -> None:
    """Raises :class:`Undeliverable` above the limit. ``what`` is what has the limit, such as "an SNS topic"."""
    if size_bytes > limit_bytes:
        raise Undeliverable(f"{size_bytes:,} bytes are too many for {what}, which takes {limit_bytes:,}")


def check_characters(text: str) -> None:
    """Raises :class:`Undeliverable` when SQS refuses a character of the text. Takes some 2 ms for 1 MB of ASCII, else 5 ms."""
    if text.isascii() and len(text.encode().translate(None, _CONTROLS)) == len(text):
        return
    found = _REFUSED.search(text)
    if found is not None:
        raise Undeliverable(f"SQS refuses the character U+{ord(found[0]):04X}, at {found.start():,}")


def accepted_characters(text: str) -> str:
    """The text with a sign for each character that SQS refuses."""
    return _REFUSED.sub(REPLACEMENT, text)


def cut(text: str, limit_bytes: int) -> str:
    """The longest beginning of at most ``limit_bytes`` of UTF-8; never half a character."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= limit_bytes else encoded[:limit_bytes].decode("utf-8", "ignore")
