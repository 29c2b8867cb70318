"""What functions are told of where they run: region, account, credentials, endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.environment.aws_variables import (
        Profile,
        credential_variables,
        followed_variables,
        with_loopback_direct,
    )
    from handlers.environment.profile import read_profile
    from handlers.environment.world import World, arn_in, function_arn, source_regions, world_in, world_of

__all__ = [
    "Profile",
    "World",
    "arn_in",
    "credential_variables",
    "followed_variables",
    "function_arn",
    "read_profile",
    "source_regions",
    "with_loopback_direct",
    "world_in",
    "world_of",
]
__getattr__ = lazily(
    __name__,
    {
        "aws_variables": "Profile credential_variables followed_variables with_loopback_direct",
        "profile": "read_profile",
        "world": "World arn_in function_arn source_regions world_in world_of",
    },
)
