"""The ``functions`` section: which model a function has, and what it may not say."""

from __future__ import annotations

import os
import re
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, TypeAlias

from config.arns import parse_arn
from config.models import HttpFunction, InProcessFunction, LambdaFunction, ProvidedFunction, PythonFunction
from config.options.shapes import options_of
from config.options.spelling import suggestion
from config.text.nodes import Node, Scalar, Table, describe, is_null, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.faults import Path
    from config.models import LoggingConfig
    from config.options.reader import Reader, Reading
    from config.report import Report

AnyFunction: TypeAlias = PythonFunction | ProvidedFunction | InProcessFunction | LambdaFunction | HttpFunction

RUNTIMES: dict[str, type[AnyFunction]] = {
    "python": PythonFunction,
    "in_process": InProcessFunction,
    "provided": ProvidedFunction,
    "lambda": LambdaFunction,
    "http": HttpFunction,
}

NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
"""Lambda's rule for function names."""

_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HANDLER = re.compile(r"[^\s./][^\s.]*(?:\.[^\s./][^\s.]*)*\.[^\W\d]\w*")
_QUALIFIED = re.compile(r"function:[a-zA-Z0-9-_]{1,140}(?::(?P<qualifier>[a-zA-Z0-9$_-]+))?")
_LOG_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]+")
_RESERVED = frozenset({"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"})
_SETTABLE = frozenset({"AWS_LAMBDA_EXEC_WRAPPER"})


def read_function(name: str, node: Node, reader: Reader, path: Path) -> AnyFunction | None:
    """The function under ``name``, or None after a fault."""
    report = reader.report
    if not NAME.fullmatch(name):
        report.fault(
            path, f"found the name {quoted(name)}, expected 1 to 64 letters, digits, '-' and '_', as on Lambda"
        )
    if not isinstance(node, Table):
        report.fault(path, f"found {describe(node)}, expected a mapping with runtime, code and handler")
        return None
    model = _model(node, path, report)
    if model is None:
        return None
    reading = reader.section(options_of(model), node, path, path, _foreign(model))
    if reading is None:
        return None
    for at, message in _faults(model, reading, node):
        report.fault((*path, *at), message)
    return model(**reading.values) if not reading.faulty else None


def _model(node: Table, path: Path, report: Report) -> type[AnyFunction] | None:
    entry = node.entries.get("runtime")
    if entry is None or is_null(entry.node):
        return PythonFunction
    value = entry.node.value if isinstance(entry.node, Scalar) else None
    if isinstance(entry.node, Scalar) and entry.node.problem is not None:
        return None
    if isinstance(value, str) and value in RUNTIMES:
        return RUNTIMES[value]
    at = (*path, "runtime")
    report.enter(at, entry.node, at, entry.place)
    report.fault(at, f"found {describe(entry.node)}, expected one of {', '.join(RUNTIMES)}{_runtime_help(value)}")
    return None


def _runtime_help(value: object) -> str:
    if not isinstance(value, str):
        return ""
    if value.startswith("python3"):
        return " (python runs the Python that runs Headrace, or that of interpreter)"
    if value.startswith(("nodejs", "java", "dotnet", "ruby", "go1", "provided.")):
        return " (provided runs any program that speaks Lambda's Runtime API)"
    return suggestion(value, RUNTIMES)


def _foreign(model: type[AnyFunction]) -> Callable[[str, Node], str | None]:
    own = next(name for name, other in RUNTIMES.items() if other is model)

    def explain(key: str, _node: Node) -> str | None:
        owners = [name for name, other in RUNTIMES.items() if key in options_of(other)]
        if not owners:
            return None
        return (
            f"found a setting of {' and '.join(owners)} functions, expected one of {own} functions: "
            f"{', '.join(options_of(model))}"
        )

    return explain


def _faults(model: type[AnyFunction], reading: Reading, node: Table) -> Iterator[tuple[Path, str]]:
    values = reading.values
    if (
        model in (PythonFunction, InProcessFunction)
        and "handler" in values
        and not _HANDLER.fullmatch(values["handler"])
    ):
        yield ("handler",), f"found {quoted(values['handler'])}, expected module.function, such as app.handler"
    for name in reading.best("environment") or ():
        message = variable_problem(name)
        if message:
            yield ("environment", name), message
    for number, name in enumerate(reading.best("inherit_environment") or ()):
        message = variable_problem(name) if isinstance(name, str) else None
        if message:
            yield ("inherit_environment", number), message
    yield from _logging_faults(values.get("logging_config"))
    if model is ProvidedFunction:
        yield from _command_faults(values.get("command"), values.get("code"))
    if model is LambdaFunction and "function_arn" in values:
        yield from _arn_faults(values["function_arn"], values.get("qualifier"))
    if model is HttpFunction:
        yield from _http_faults(reading, node)


def variable_problem(name: str) -> str | None:
    """Why an environment variable cannot be set for a function, or None: Lambda's rule for names, and the names it sets itself.

    Unlike on Lambda, the region and credentials may be set.
    """
    if name in _RESERVED or (name.startswith("AWS_LAMBDA_") and name not in _SETTABLE):
        return (
            "found a name that is reserved, expected another (AWS: Lambda was unable to configure your environment "
            "variables because the "
            "environment variables you have provided contains reserved keys that are currently not supported for "
            "modification. Reserved "
            f"keys used in this request: {name})"
        )
    if not _VARIABLE.fullmatch(name):
        return (
            f"found the name {quoted(name)}, expected a letter and then letters, digits and '_', two characters at "
            "least, as on Lambda"
        )
    return None


def _logging_faults(found: LoggingConfig | None) -> Iterator[tuple[Path, str]]:
    """Levels with JSON only. INFO, the level that Lambda has where none is given, changes nothing and is let pass."""
    if found is None:
        return
    for option in ("application_log_level", "system_log_level"):
        level = getattr(found, option)
        if found.log_format == "Text" and level not in (None, "INFO"):
            yield (
                ("logging_config", option),
                f"found {level} with log_format Text, expected log_format JSON (AWS: LogLevel is not supported when "
                'LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and '
                "try again.)",
            )
    if found.log_group is not None and not _LOG_GROUP.fullmatch(found.log_group):
        yield (
            ("logging_config", "log_group"),
            f"found {quoted(found.log_group)}, expected letters, digits and the characters '.', '-', '_', '/' and '#'",
        )


def _command_faults(command: list[str] | None, code: FilePath | None) -> Iterator[tuple[Path, str]]:
    if command is None:
        return
    for number, word in enumerate(command):
        if "\0" in word or (number == 0 and not word):
            yield ("command", number), "found an empty word or a null character, expected a program and its arguments"
            return
    program = command[0]
    if "/" not in program or code is None:
        return
    file = FilePath(os.path.abspath(code / program))
    try:
        runnable = file.is_file() and os.access(file, os.X_OK)
    except (OSError, ValueError):
        runnable = False
    if not runnable:
        yield (
            ("command", 0),
            f"found {quoted(program)}, which is no executable file ({file}), expected one; a relative path starts in code",
        )


def _arn_faults(text: str, qualifier: str | None) -> Iterator[tuple[Path, str]]:
    arn = parse_arn(text)
    found = _QUALIFIED.fullmatch(arn.resource)
    if arn.service != "lambda" or not arn.region or found is None:
        yield (
            ("function_arn",),
            f"found {quoted(text)}, expected a function's ARN, arn:aws:lambda:REGION:ACCOUNT:function:NAME",
        )
    elif found["qualifier"] and qualifier:
        yield (
            ("qualifier",),
            f"found {quoted(qualifier)}, expected nothing, since function_arn has the qualifier {found['qualifier']}",
        )


def _http_faults(reading: Reading, node: Table) -> Iterator[tuple[Path, str]]:
    values = reading.values
    if {"url", "urls"} <= reading.given:
        yield ("urls",), "found it together with url, expected one of them"
    elif not {"url", "urls"} & reading.given:
        yield (), "url is missing, expected url, or urls for several endpoints of one function"
    elif values.get("urls") == []:
        yield ("urls",), "found an empty list, expected at least one URL"
    for name, value in values.get("headers", {}).items():
        if not _HEADER.fullmatch(name) or "\n" in value or "\r" in value:
            yield ("headers", name), "found a name or a value that HTTP does not allow, expected a header on one line"
    tls = values.get("tls")
    if tls is not None and tls.key_file is not None and tls.cert_file is None:
        yield ("tls", "key_file"), "found a key without cert_file, expected both"
