"""How a function of Lambda's is run here: from its runtime, its handler and its code to a runtime of Headrace's (docs/lambda 17.3).

A decider, but that it looks whether a program is there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pollers.importing.local import is_file, is_folder
from pollers.importing.placeholders import variable
from pollers.importing.values import LocalPath, Unknown, Value

if TYPE_CHECKING:
    from pathlib import Path

    from config.text.places import Place


def layer_fetched(layer: str) -> str:
    """How what a layer holds is had, whose ARN may be known."""
    if not layer.startswith("arn:"):
        return "fetch it"
    return f"fetch it (aws lambda get-layer-version-by-arn --arn {layer} shows where it is)"


@dataclass(frozen=True, slots=True)
class Code:
    """Where a function's code is. ``path`` is a folder or an archive that is there.

    Without it, ``missing`` says why; it is ``expected`` here if the source names a folder that has only to be made or to be named,
    else the code is elsewhere.
    """

    path: Path | None = None
    missing: str = ""
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """What Lambda would run. ``name`` names the function in variables; ``arn`` is used where it can only be called, not run."""

    name: str
    runtime: Value
    handler: Value
    code: Code
    arn: Value
    place: Place


@dataclass(slots=True)
class Running:
    """Options that say what runs, and notes about it. ``called`` is whether it stays in AWS and is only called."""

    options: dict[str, Value]
    notes: list[str] = field(default_factory=list)
    called: bool = False


def running(program: Program) -> Running:
    """How to run a program, or that it is called where it is."""
    runtime = program.runtime if isinstance(program.runtime, str) else ""
    if program.code.path is None and not program.code.expected:
        return _called(program, program.code.missing)
    if runtime.startswith("python"):
        return _python(program, runtime)
    if runtime.startswith("nodejs"):
        return _node(program)
    if runtime.startswith("provided") or runtime == "go1.x":
        return _provided(program)
    what = "its runtime is not run here" if runtime else "its runtime is not known"
    return _called(program, what)


def _python(program: Program, runtime: str) -> Running:
    handler = program.handler
    if isinstance(handler, str):
        handler = handler.removeprefix("./").replace("/", ".")
    options: dict[str, Value] = {"code": _code(program, archive=True), "handler": handler}
    note = f"{runtime}: it runs by the Python that runs Headrace, unless interpreter names another"
    return Running(options, [note])


def _node(program: Program) -> Running:
    handler = program.handler if program.handler is not None else "index.handler"
    options: dict[str, Value] = {
        "runtime": "provided",
        "command": ["npx", "--no-install", "aws-lambda-ric", handler],
        "code": _code(program),
    }
    notes = []
    folder = program.code.path
    if folder is None or not is_folder(folder / "node_modules" / "aws-lambda-ric"):
        notes.append("the package aws-lambda-ric must be in node_modules of its code: npm install aws-lambda-ric")
    return Running(options, notes)


def _provided(program: Program) -> Running:
    options: dict[str, Value] = {"runtime": "provided", "command": ["./bootstrap"]}
    folder = program.code.path
    if folder is not None and is_folder(folder) and not _runnable(folder / "bootstrap"):
        options["code"] = _unknown_code(program, "the folder with its program bootstrap, which has to be built")
    else:
        options["code"] = _code(program)
    if program.handler is not None:
        options["handler"] = program.handler
    return Running(options)


def _called(program: Program, why: str) -> Running:
    words = [word for word in (program.runtime, program.handler) if isinstance(word, str) and word]
    what = f" ({', '.join(words)})" if words else ""
    note = f"{why}{what}: it stays in AWS and is called there; to run it here, replace runtime and function_arn"
    return Running({"runtime": "lambda", "function_arn": program.arn}, [note], called=True)


def _code(program: Program, *, archive: bool = False) -> Value:
    path = program.code.path
    if path is None:
        return _unknown_code(program, f"the folder of its code: {program.code.missing}")
    if not archive and not is_folder(path):
        return _unknown_code(
            program, f"a folder with what is in {path.name}, which this runtime cannot run from an archive"
        )
    return LocalPath(path)


def _unknown_code(program: Program, reason: str) -> Unknown:
    name = variable(program.name, "Code")
    return Unknown(f"code of {program.name}", name, f"{program.name}: {reason}", program.place)


def _runnable(file: Path) -> bool:
    return is_file(file) and os.access(file, os.X_OK)


def environment_of(variables: Value) -> dict[str, Value]:
    """Environment variables that a worker can be given."""
    return (
        {name: value for name, value in variables.items() if not isinstance(value, dict | list)}
        if isinstance(variables, dict)
        else {}
    )
