"""``logging_config`` of a function: Lambda's names, defaults, rules and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config.models import LoggingConfig, PythonFunction

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

REFUSED = (
    "with log_format Text, expected log_format JSON (AWS: LogLevel is not supported when LogFormat is set to "
    '"Text". Remove LogLevel from your request'
)


def logging_config(folder: Folder, settings: str) -> LoggingConfig:
    """That of a function with these settings."""
    found = folder.load(f"functions:\n  f: {{code: ., handler: app.handler, {settings}}}\n").config.functions["f"]
    assert isinstance(found, PythonFunction)
    return found.logging_config


@pytest.mark.parametrize(
    "settings",
    [
        "logging_config: {log_format: JSON, application_log_level: DEBUG, system_log_level: WARN, log_group: /a/b}",
        "LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG, SystemLogLevel: WARN, LogGroup: /a/b}",
        "logging_config: [{log_format: JSON, application_log_level: DEBUG, system_log_level: WARN, log_group: /a/b}]",
    ],
    ids=["own", "CloudFormation", "Terraform"],
)
def test_it_may_be_pasted(folder: Folder, settings: str) -> None:
    """In snake_case, in PascalCase, and as a block of Terraform's JSON."""
    assert logging_config(folder, settings) == LoggingConfig(
        log_format="JSON", application_log_level="DEBUG", system_log_level="WARN", log_group="/a/b"
    )


def test_terraforms_state_may_be_pasted(folder: Folder) -> None:
    """Where a level is not set there is an empty text."""
    state = '{application_log_level: "", log_format: Text, log_group: /aws/lambda/orders, system_log_level: ""}'
    assert logging_config(folder, f"logging_config: [{state}]") == LoggingConfig(log_group="/aws/lambda/orders")


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        ("timeout: 3", (None, "DEBUG")),
        ("logging_config: {log_format: Text, application_log_level: INFO, system_log_level: INFO}", (None, "DEBUG")),
        ("logging_config: {log_format: JSON}", ("INFO", "INFO")),
        ("logging_config: {log_format: JSON, application_log_level: TRACE}", ("TRACE", "INFO")),
    ],
)
def test_levels_go_with_json(folder: Folder, settings: str, levels: tuple[str | None, str]) -> None:
    """With JSON they are INFO where none is given; with text nothing is filtered, and INFO says no more than that."""
    found = logging_config(folder, settings)
    assert (found.application_level, found.system_level) == levels


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("application_log_level: DEBUG", f"application_log_level: found DEBUG {REFUSED}"),
        ("log_format: Text, SystemLogLevel: WARN", f"SystemLogLevel: found WARN {REFUSED}"),
        ("log_format: json", "log_format: found 'json', expected one of Text, JSON"),
        ("log_format: JSON, application_log_level: LOUD", "application_log_level: found 'LOUD', expected one of TRACE, DEBUG"),
        ("log_group: 'a b'", "log_group: found 'a b', expected letters, digits and the characters"),
    ],
)  # fmt: skip
def test_what_lambda_refuses_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """With file and line, in Lambda's words where they are recorded."""
    (found,) = folder.faults(
        f"functions:\n  f:\n    code: .\n    handler: app.handler\n    logging_config: {{{settings}}}\n"
    )
    assert found.startswith(f"headrace.yaml:5: functions.f.logging_config.{fault}")


def test_functions_whose_log_is_elsewhere_do_not_take_it(folder: Folder) -> None:
    """What a function in AWS or behind HTTP logs is not Headrace's to write."""
    (found,) = folder.faults("functions:\n  f: {runtime: http, url: 'http://a', logging_config: {log_format: JSON}}\n")
    assert "found a setting of python and in_process and provided functions, expected one of http functions" in found
