"""Finds an in-process function's handler, and says exactly what is wrong when there is none."""

from __future__ import annotations

import difflib
import importlib
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, TypeAlias

from handlers.errors import FunctionUnusable
from handlers.in_process.namespace import OWN_PACKAGES, Namespace

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

HandlerCallable: TypeAlias = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Handler:
    """A loaded handler. ``is_async`` when calling it only makes a coroutine."""

    call: HandlerCallable
    is_async: bool
    namespace: Namespace


def load(function_name: str, code: Path, handler: str, copy: Path | None = None) -> Handler:
    """Import ``module.function`` from the folder ``code``, or from its ``copy``, whose code is named after it.

    Runs the module's code, in the thread that calls.
    Raises :class:`FunctionUnusable`, and nothing else, whatever the user's module does.
    """
    _check_folder(function_name, code)
    module_name, attribute = _parts(function_name, handler)
    importlib.invalidate_caches()
    namespace = Namespace(function_name, copy or code, {} if copy is None else {str(copy): str(code)})
    try:
        module = _import_module(function_name, namespace, module_name)
        found = _attribute(function_name, module, module_name, attribute)
        _check_callable(function_name, found, handler, module)
    except FunctionUnusable as problem:
        namespace.unload()
        if copy is None:
            raise
        raise FunctionUnusable(str(problem).replace(str(copy), str(code))) from problem
    return Handler(found, _is_async(found), namespace)


def _unusable(function_name: str, what: str) -> FunctionUnusable:
    return FunctionUnusable(f"function {function_name}: {what}")


def _check_folder(function_name: str, code: Path) -> None:
    if not code.is_dir():
        found = "is a file" if code.exists() else "does not exist"
        raise _unusable(function_name, f"code: {code} {found}; the folder that holds the handler would be right")
    for name in OWN_PACKAGES:
        if _is_module(code / name) or (code / f"{name}.py").is_file():
            raise _unusable(
                function_name,
                f"{code} brings a module named {name}, which is one of Headrace's own packages; "
                "use runtime: python, where the function has a process of its own",
            )


def _is_module(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*.py"))


def _parts(function_name: str, handler: str) -> tuple[str, str]:
    """``module.function``; Lambda takes slashes for dots in the module's part."""
    module, dot, attribute = handler.rpartition(".")
    module = module.replace("/", ".")
    if not dot or not all(part.isidentifier() for part in [*module.split("."), attribute]):
        raise _unusable(function_name, f"handler: {handler!r} is not of the form module.function (app.handler)")
    return module, attribute


def _import_module(function_name: str, namespace: Namespace, name: str) -> ModuleType:
    file = namespace.folder.joinpath(*name.split(".")).with_suffix(".py")
    top = name.partition(".")[0]
    if PathFinder.find_spec(top, [str(namespace.folder)]) is None:
        there = sorted(path.stem for path in namespace.folder.glob("*.py"))
        close = difflib.get_close_matches(top, there, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; {file} would be right"
        raise _unusable(function_name, f"handler: no module {name!r} in {namespace.folder}{hint}")
    try:
        return namespace.load(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            what = f"handler: no module {name!r} in {namespace.folder}; {file} would be right"
            raise _unusable(function_name, what) from None
        raise _import_failed(function_name, namespace, file, error) from error
    except BaseException as error:  # a module may raise anything when it is imported, SystemExit too
        raise _import_failed(function_name, namespace, file, error) from error


def _import_failed(function_name: str, namespace: Namespace, file: Path, error: BaseException) -> FunctionUnusable:
    where = f"{file}"
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
    else:
        folders = (str(namespace.folder), *namespace.copies.values())
        inside = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folders)]
        if inside:
            where = f"{inside[-1].filename}:{inside[-1].lineno}"
    missing = isinstance(error, ModuleNotFoundError)
    advice = "; install it beside Headrace, or put it into the folder, or use runtime: python" if missing else ""
    return _unusable(function_name, f"{where}: cannot be imported: {type(error).__name__}: {_text(error)}{advice}")


def _text(error: BaseException) -> str:
    try:
        return error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:  # user code's own __str__ may raise anything
        return "(its text cannot be had)"


def _attribute(function_name: str, module: ModuleType, module_name: str, attribute: str) -> HandlerCallable:
    try:
        return getattr(module, attribute)  # type: ignore[no-any-return] # what it is, is checked next
    except BaseException as error:  # a module's own __getattr__ may raise anything
        there = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        close = difflib.get_close_matches(attribute, there, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; def {attribute}(event, context) in it would be right"
        raise _unusable(
            function_name, f"handler: no {attribute!r} in {vars(module).get('__file__') or module_name}{hint}"
        ) from error


def _check_callable(function_name: str, found: object, handler: str, module: ModuleType) -> None:
    file = vars(module).get("__file__") or module.__name__
    if not callable(found):
        raise _unusable(
            function_name,
            f"handler: {handler} in {file} is not callable (it is of type {type(found).__name__}); "
            "def handler(event, context) would be right",
        )
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return  # a callable of C code may not tell
    try:
        signature.bind({}, None)
    except TypeError:
        raise _unusable(
            function_name,
            f"handler: {handler}{signature} in {file} does not take two arguments; (event, context) would be right",
        ) from None


def _is_async(found: HandlerCallable) -> bool:
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__)
