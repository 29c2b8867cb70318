"""Metrics in CloudWatch's embedded metric format: lines of JSON among what a function prints."""

from __future__ import annotations

import orjson


def is_embedded_metric(text: str) -> bool:
    """Whether a log event is a metric: a JSON object with a list of directives under ``_aws.CloudWatchMetrics``."""
    if not text.startswith("{") or '"CloudWatchMetrics"' not in text:
        return False
    try:
        metadata = orjson.loads(text).get("_aws")
    except ValueError:
        return False
    return isinstance(metadata, dict) and isinstance(metadata.get("CloudWatchMetrics"), list)
