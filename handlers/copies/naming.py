"""Python code of a copy that names the user's own files: tracebacks and debuggers go by a code object's file name.

Workers load this file by its path, under any Python from 3.10 on. So it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType


def own_name(path: str, copies: dict[str, str]) -> str:
    """The user's own file for one in a copy. ``copies``: each copy's folder, and the folder that it is of."""
    for copy, own in copies.items():
        if path == copy or path.startswith(copy + os.sep):
            return own + path[len(copy) :]
    return path


def renamed(code: CodeType, copies: dict[str, str]) -> CodeType:
    """The same code, with all that is inside it, as code of the user's own file."""
    name = own_name(code.co_filename, copies)
    if name == code.co_filename:
        return code
    inside = tuple(renamed(each, copies) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=name, co_consts=inside)


def install(copies: dict[str, str]) -> None:
    """Have every module that is loaded from a copy named after the user's own file. Its ``__file__`` stays in the copy, where
    the data files beside it are those that were accepted with it."""

    class Named(SourceFileLoader):
        def source_to_code(self, data, path, **more):  # type: ignore[no-untyped-def,override]  # noqa: ANN001, ANN003, ANN202
            return super().source_to_code(data, own_name(os.fspath(path), copies), **more)

        def get_code(self, fullname: str) -> CodeType | None:
            code = super().get_code(fullname)
            return None if code is None else renamed(code, copies)

    def finder(path: str) -> FileFinder:
        if own_name(path, copies) == path or not os.path.isdir(path):
            raise ImportError(path)
        return FileFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (Named, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()


def locate(fault: BaseException, copies: dict[str, str]) -> list[str]:
    """Where a module failed when it was loaded, for an error of AWS's client that does not say it: as lines of a traceback."""
    import traceback

    cause = fault.__context__
    if cause is None or isinstance(cause, AttributeError):
        return []
    return [
        f'  File "{own_name(frame.filename, copies)}", line {frame.lineno}, in {frame.name}'
        for frame in traceback.extract_tb(cause.__traceback__)
        if any(frame.filename.startswith(own + os.sep) for own in copies.values())
    ]
