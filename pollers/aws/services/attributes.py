"""Attributes of messages, as SQS and SNS both spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.aws.api import MessageAttribute


def spelled_attributes(attributes: Mapping[str, MessageAttribute]) -> dict[str, dict[str, str]]:
    """The parameter of a call that holds them."""
    return {name: {"DataType": given.data_type, "StringValue": given.value} for name, given in attributes.items()}
