"""Who invoked the function, as a Kinesis event record names it."""

from __future__ import annotations

from config import parse_arn


def identity_arn(event_source_arn: str) -> str:
    """What stands in ``invokeIdentityArn``: on Lambda the function's role, which does not exist here.

    A role of the source's account, in the form that consumers parse; nothing is ever signed with it.
    """
    arn = parse_arn(event_source_arn)
    return f"arn:{arn.partition}:iam::{arn.account}:role/headrace"
