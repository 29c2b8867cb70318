"""The level that a log event names, in Lambda's words or a logger's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.logs.levels import SEVERITIES, severity


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[TRACE]\tx", "debug"),
        ("[DEBUG]\tx", "debug"),
        ("[INFO]\tx", "info"),
        ("[WARN]\tx", "warning"),
        ("[WARNING] x", "warning"),
        ("[ERROR]\tx", "error"),
        ("[CRITICAL] x", "critical"),
        ("[FATAL] x", "critical"),
        ("[x", "info"),
        ("[", "info"),
        ("[NOSUCH] [ERROR] x", "info"),
        ("", "info"),
        ("plain", "info"),
        ("2025-11-02T16:51:31.587Z\t8f507cfc-xmpl-4697-b07a-ac58fc914c95\tWARN\tlow", "warning"),
        ("2025-11-02T16:51:31.587Z\tundefined\tFATAL\tlow", "critical"),
        ("2025-11-02T16:51:31.587Z no tabs ERROR", "info"),
        ('{"level":"WARN","message":"x"}', "warning"),
        ('{"level": "debug", "msg": "my debug log", "timestamp": "2024-11-02T16:51:31.587199Z"}', "debug"),
        ('{"message":{"level":"ERROR"}}', "info"),
        ('{"message":"level ERROR"}', "info"),
        ('{"log_level":"error"}', "error"),
        ('{"log level":"Error"}', "error"),
        ('{"log.level":"fatal"}', "critical"),
        ('{"severity":"CRITICAL"}', "critical"),
        ('{"level":40,"msg":"of a logger of Node.js"}', "warning"),
        ('{"level":60}', "critical"),
        ('{"level":7}', "info"),
        ('{"level":"loud"}', "info"),
        ('{"level":"ERROR"', "info"),
        ('{"level":' + "[" * 5000, "info"),
    ],
)
def test_an_event_names_its_level(text: str, named: str) -> None:
    """Whatever names none is information, as on Lambda."""
    assert severity(text) == named


@given(st.text() | st.text().map(lambda text: '{"level":' + text) | st.text().map("[".__add__))
def test_any_text_has_a_level(text: str) -> None:
    """Nothing that a function prints raises."""
    assert severity(text) in SEVERITIES.values()
