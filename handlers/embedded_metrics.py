"""Metrics in CloudWatch's embedded metric format: lines of JSON among what a function prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable


def is_embedded_metric(text: str) -> bool:
    """Whether a log event is a metric: a JSON object with a list of directives under ``_aws.CloudWatchMetrics``."""
    if not text.startswith("{") or '"CloudWatchMetrics"' not in text:
        return False
    try:
        metadata = orjson.loads(text).get("_aws")
    except ValueError:
        return False
    return isinstance(metadata, dict) and isinstance(metadata.get("CloudWatchMetrics"), list)


class EmbeddedMetrics:
    """Counts a function's metrics, and hands them on if somebody wants them."""

    def __init__(self, pass_on: Callable[[str], None] | None = None) -> None:
        """``pass_on`` gets each metric's line as the function wrote it; it must not block."""
        self._pass_on = pass_on
        self.seen = 0

    def takes(self, text: str) -> bool:
        """Whether it was a metric that has been passed on, so that it is no line of the log."""
        if not is_embedded_metric(text):
            return False
        self.seen += 1
        if self._pass_on is None:
            return False
        self._pass_on(text.strip())
        return True
