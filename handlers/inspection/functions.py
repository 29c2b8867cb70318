"""One function, looked at without running it: what certainly cannot work, and what probably will not."""

from __future__ import annotations

import ast
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from config.models import InProcessFunction, ProcessFunction, ProvidedFunction, PythonFunction
from handlers.errors import FunctionUnusable
from handlers.inspection.limits import environment_problems
from handlers.inspection.modules import Unreadable, find, is_closed
from handlers.inspection.source import lacks, takes_no_two
from handlers.inspection.survey import Survey, survey
from handlers.workers import MAIN, Identity, InterpreterSilent, Place, ask, worker_environment, worker_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from config.models import FunctionModel
    from handlers.environment import World

_SCRATCH = Path("/tmp/headrace-0123456789abcdef/worker-0")  # noqa: S108 - the length of a real one; nothing is written
_IN_LAMBDA = frozenset({"boto3", "botocore", "s3transfer"})


class Remark(NamedTuple):
    """What is wrong with an option of a function. ``fatal``: no invocation can succeed."""

    path: tuple[str | int, ...]
    message: str
    fatal: bool


def inspect(name: str, model: FunctionModel, world: World) -> list[Remark]:
    """Everything that can be said of the function. Starts an interpreter at most, and none of the function's code."""
    return list(_inspect(name, model, world))


def _inspect(name: str, model: FunctionModel, world: World) -> Iterator[Remark]:
    environment: dict[str, str] = {}
    if isinstance(model, ProcessFunction):
        environment = _environment(name, model, world)
        unstartable = list(_unstartable(model, environment))
        yield from unstartable
        if unstartable:
            return
    if isinstance(model, PythonFunction):
        yield from _python(model, environment)
    elif isinstance(model, InProcessFunction):
        yield from _in_process(model)
    elif isinstance(model, ProvidedFunction):
        yield from _provided(model, environment)


def _environment(name: str, model: ProcessFunction, world: World) -> dict[str, str]:
    layers = tuple(model.layers) if isinstance(model, PythonFunction) else ()
    code = model.code if isinstance(model, PythonFunction | ProvidedFunction) else Path()
    handler = getattr(model, "handler", None) or ""
    identity = Identity(name, handler, world.region, f"2000/01/01/[$LATEST]{0:032x}")
    place = Place(code, layers, _SCRATCH, "127.0.0.1:65535")
    return worker_environment(identity, place, model, world.environment, world.profile)


def _unstartable(model: ProcessFunction, environment: Mapping[str, str]) -> Iterator[Remark]:
    command = model.command if isinstance(model, ProvidedFunction) else (sys.executable, str(MAIN), "x" * 1024)
    for variable, message in environment_problems(environment, command, os.sysconf("SC_ARG_MAX")):
        where = variable if variable in model.environment else ""
        told = message if where or not variable else f"{variable}: {message}"
        yield Remark(("environment", where) if where else ("environment",), told, fatal=True)


def _provided(model: ProvidedFunction, environment: Mapping[str, str]) -> Iterator[Remark]:
    program = model.command[0]
    if os.sep not in program and shutil.which(program, path=environment.get("PATH")) is None:
        message = f"found {program!r}, which is not in PATH, expected an executable, or ./{program} for one in code"
        yield Remark(("command", 0), message, fatal=True)


def _in_process(model: InProcessFunction) -> Iterator[Remark]:
    try:
        found = survey(_module(model.handler), str(model.code), sys.stdlib_module_names)
    except Unreadable as unreadable:
        yield _unreadable(unreadable)
        return
    missing = {name for name in _needed(found, model.handler) if not _is_beside_us(name)}
    yield from _remarks(_Where(model.handler, model.code, None, alone=True), found, missing)


def _python(model: PythonFunction, environment: Mapping[str, str]) -> Iterator[Remark]:
    own = model.interpreter is None
    interpreter = sys.executable if model.interpreter is None else str(model.interpreter.absolute())
    try:
        found = survey(_module(model.handler), str(model.code), sys.stdlib_module_names if own else ())
    except Unreadable as unreadable:
        if own:
            yield _unreadable(unreadable)
            return
        found = None  # it may be of a newer Python than ours
    needed = _needed(found, model.handler)
    missing: Iterable[str] = ()
    if not own or (needed := _missing_beside(needed, _usual_places())):
        settings = worker_settings(model.handler, model.code.absolute(), [layer.absolute() for layer in model.layers])
        folder = model.code if model.code.is_dir() else None
        try:
            missing = ask(interpreter, settings, find=sorted(needed), environment=environment, folder=folder)
        except FunctionUnusable as unusable:
            # Our own runs Headrace right now: so a fault of it is not the function's.
            yield Remark(("interpreter",), str(unusable), fatal=not own and not isinstance(unusable, InterpreterSilent))
            return
    if found is not None:
        alone = own and not model.layers and "PYTHONPATH" not in environment
        yield from _remarks(_Where(model.handler, model.code, None if own else interpreter, alone), found, missing)


def _is_beside_us(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, AttributeError, ValueError):
        return name in sys.modules


def _usual_places() -> list[str]:
    return [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]


def _needed(found: Survey | None, handler: str) -> set[str]:
    if found is None:
        return set()
    return {*found.elsewhere} if found.handler is not None else {_module(handler).partition(".")[0]}


def _missing_beside(names: Iterable[str], folders: Sequence[str]) -> set[str]:
    return {name for name in names if isinstance(find(name, folders), str) and name not in sys.builtin_module_names}


def _module(handler: str) -> str:
    return handler.rpartition(".")[0].replace("/", ".")


def _unreadable(unreadable: Unreadable) -> Remark:
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    message = f"found a module that cannot be loaded ({unreadable}), expected one in Python {ours}, which runs it"
    return Remark(("handler",), message, fatal=True)


@dataclass(frozen=True, slots=True)
class _Where:
    """Where a handler is looked for. ``interpreter`` is the function's own, None that of Headrace."""

    handler: str
    code: Path
    interpreter: str | None
    alone: bool
    """Nothing but the code and Headrace's interpreter is on its path: no layers, no PYTHONPATH."""

    @property
    def beside(self) -> str:
        return f"in {self.interpreter}" if self.interpreter else "installed beside Headrace"


def _remarks(where: _Where, found: Survey, missing: Iterable[str]) -> Iterator[Remark]:
    if found.handler is None:
        yield from _no_module(where, missing)
        return
    if found.tree is not None and lacks(found.tree, where.handler.rpartition(".")[2]):
        yield Remark(("handler",), _no_attribute(where.handler, found.tree, found.handler.file), fatal=True)
    elif found.tree is not None and (line := takes_no_two(found.tree, where.handler.rpartition(".")[2])) is not None:
        message = (
            f"{found.handler.file}:{line}: the handler cannot be called with two arguments, the event and the context"
        )
        yield Remark(("handler",), message, fatal=False)
    yield from (Remark(("handler",), message, fatal=False) for message in found.remarks)
    for name in sorted(missing):
        yield Remark(("handler",), f"{found.elsewhere[name]} imports {name}: {_advice(name, where)}", fatal=False)


def _no_module(where: _Where, missing: Iterable[str]) -> Iterator[Remark]:
    module = _module(where.handler)
    top = module.partition(".")[0]
    part = find(module, [str(where.code)])
    if isinstance(part, str) and (top in missing if part == top else _is_nowhere(part, where)):
        file = where.code / f"{part.replace('.', '/')}.py"
        message = (
            f"found {where.handler!r}, but there is no module {part}: {file} does not exist, nor is it {where.beside}"
            f"{_meant(where)}; expected this file, or module.function of another one in {where.code}"
        )
        yield Remark(("handler",), message, fatal=True)


def _meant(where: _Where) -> str:
    if not where.code.is_dir():
        return ""
    module, _, attribute = where.handler.rpartition(".")
    there = {file.stem.lower(): file.stem for file in where.code.glob("*.py")}
    close = get_close_matches(module.lower(), there, n=1)
    return f" (did you mean {there[close[0]]}.{attribute}?)" if close else ""


def _is_nowhere(dotted: str, where: _Where) -> bool:
    """Whether a module inside of a package of the code is certainly nowhere else.

    It may be compiled for another Python than ours; and a package without ``__init__`` may go on in any place of the path.
    """
    package, _, name = dotted.rpartition(".")
    if any((where.code / package.replace(".", "/")).glob(f"{name}.*")):
        return False
    if is_closed(package, [str(where.code)]):
        return True
    around = find(package, [str(where.code)])
    is_namespace = not isinstance(around, str) and around.spec.loader is None
    return is_namespace and where.alone and isinstance(find(dotted, [str(where.code), *_usual_places()]), str)


def _no_attribute(handler: str, tree: ast.Module, file: str) -> str:
    attribute = handler.rpartition(".")[2]
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    close = get_close_matches(attribute, defined, n=1) or defined[:1]
    meant = f" (did you mean {_module(handler)}.{close[0]}?)" if close else ""
    return f"found {handler!r}, but {file} defines no {attribute}{meant}, expected a function at the module's top level"


def _advice(name: str, where: _Where) -> str:
    if name not in _IN_LAMBDA:
        return f"it is neither in the code, nor in a layer, nor {where.beside}"
    install = f"{where.interpreter} -m pip install boto3" if where.interpreter else "pip install 'headrace[boto3]'"
    return f"{name} is part of Lambda's Python runtime, not of Headrace: {install}, or bring it in the code or a layer"
