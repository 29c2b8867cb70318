"""What only the operating system knows: processes, sockets, descriptors, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.system.connected_sockets import Address, Held, can_identify, held, held_by_any, holds, users_of
    from handlers.system.descriptor_limit import DescriptorLimit, raise_descriptor_limit, require_room
    from handlers.system.memory_privacy import keep_memory_private
    from handlers.system.process_tree import Families, can_walk, descendants, running, walked

__all__ = [
    "Address",
    "DescriptorLimit",
    "Families",
    "Held",
    "can_identify",
    "can_walk",
    "descendants",
    "held",
    "held_by_any",
    "holds",
    "keep_memory_private",
    "raise_descriptor_limit",
    "require_room",
    "running",
    "users_of",
    "walked",
]
__getattr__ = lazily(
    __name__,
    {
        "connected_sockets": "Address Held can_identify held held_by_any holds users_of",
        "descriptor_limit": "DescriptorLimit raise_descriptor_limit require_room",
        "memory_privacy": "keep_memory_private",
        "process_tree": "Families can_walk descendants running walked",
    },
)
