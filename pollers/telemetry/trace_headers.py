"""Trace contexts as headers spell them: X-Ray's ``AWSTraceHeader`` and W3C's ``traceparent``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_XRAY_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_SPAN = re.compile(r"[0-9a-f]{16}")
_W3C = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The span that sent a message."""

    trace_id: int
    span_id: int
    sampled: bool


def parsed(header: str) -> TraceContext | None:
    """The context in a header of either form; None where there is none, or where it names no span."""
    match = _W3C.fullmatch(header.strip().lower())
    if match is not None:
        return _context(match[1], match[2], bool(int(match[3], 16) & 1))
    members = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    root = _XRAY_ROOT.fullmatch(members.get("Root", "").lower())
    parent = members.get("Parent", "").lower()
    if root is None or not _SPAN.fullmatch(parent):
        return None
    return _context(root[1] + root[2], parent, members.get("Sampled") == "1")


def _context(trace: str, span: str, sampled: bool) -> TraceContext | None:
    trace_id, span_id = int(trace, 16), int(span, 16)
    return TraceContext(trace_id, span_id, sampled) if trace_id and span_id else None
