"""The trace context that a received message carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollers.aws.api import Wire


def trace_header(wire: Wire) -> str | None:
    """Its sender's own ``traceparent`` before X-Ray's; None where it has neither."""
    own = (wire.get("MessageAttributes") or {}).get("traceparent")
    if own is not None and own.get("StringValue"):
        return str(own["StringValue"])
    return (wire.get("Attributes") or {}).get("AWSTraceHeader")
