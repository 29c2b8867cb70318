"""A function's own modules, apart from every other function's and from Headrace's.

Two functions may both have an ``app`` and a ``models``. Each function's folder is therefore the package of a private
name (``function:orders``), and the ``import`` statements of its code look there first: ``import models`` in a module of
the folder finds ``function:orders.models``, at load as well as inside a handler. Nothing is added to ``sys.path``.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import os
import sys
import threading
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, SourcelessFileLoader
from types import CodeType, MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from handlers.copies import own_name, renamed
from handlers.logs import keep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

OWN_PACKAGES = ("config", "handlers", "pollers")
"""Headrace's packages: user code sees none of them."""

NONE_COPIED: MappingProxyType[str, str] = MappingProxyType({})
_import = builtins.__import__
_namespaces: dict[str, Namespace] = {}
_lock = threading.Lock()


class Namespace:
    """The modules of one folder. ``unload`` forgets them.

    ``copies``: the folder, where it is a copy, with the one whose name its code has (:mod:`handlers.copies.naming`).
    """

    def __init__(self, function_name: str, folder: Path, copies: Mapping[str, str] = NONE_COPIED) -> None:
        self.folder = folder
        self.copies = dict(copies)
        self._path = [str(folder)]
        self._owned: dict[str, bool] = {}
        self._importlib = self._own_importlib()
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self._import_statement, "print": _print}
        self.name = self._register(f"function:{function_name.replace('.', '_')}")

    def load(self, name: str) -> ModuleType:
        """Import one of the folder's modules by the name that its own code uses (``app``, ``package.module``)."""
        try:
            return importlib.import_module(f"{self.name}.{name}")
        except ImportError as error:
            self._show_as_inside(error)
            raise

    def owns(self, name: str) -> bool:
        """Whether the top-level module ``name`` is one of the folder's own.

        As on Lambda, where the folder is first on the path: all but the standard library's modules that are loaded
        already, and but plain folders that merely happen to be called like an installed package.
        """
        known = self._owned.get(name)
        if known is None:
            known = self._owned[name] = self._finds(name)
        return known

    def unload(self) -> None:
        """Forget every module. Code that still runs keeps what it holds."""
        with _lock:
            _namespaces.pop(self.name, None)
        for name in [name for name in list(sys.modules) if name == self.name or name.startswith(f"{self.name}.")]:
            sys.modules.pop(name, None)

    def _finds(self, name: str) -> bool:
        if name in sys.builtin_module_names or (name in sys.stdlib_module_names and name in sys.modules):
            return False
        spec = PathFinder.find_spec(name, self._path)
        return spec is not None and (spec.loader is not None or not _installed(name))

    def _register(self, wanted: str) -> str:
        with _lock:
            if _finder not in sys.meta_path:
                sys.meta_path.insert(0, _finder)
            name, number = wanted, 1
            while name in _namespaces:
                number += 1
                name = f"{wanted}#{number}"
            root = ModuleType(name)
            root.__path__ = self._path
            sys.modules[name] = root
            _namespaces[name] = self
        return name

    def _import_statement(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """What ``import`` does in the folder's code (``builtins.__import__``'s signature and promise)."""
        if level:
            return _import(name, globals, locals, fromlist, level)
        top = name.partition(".")[0]
        if self.owns(top):
            try:
                found = _import(f"{self.name}.{name}", globals, locals, fromlist, 0)
            except ImportError as error:
                self._show_as_inside(error)
                raise
            return found if fromlist else sys.modules[f"{self.name}.{top}"]
        if top in OWN_PACKAGES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        found = _import(name, globals, locals, fromlist, 0)
        return self._importlib if found is importlib else found

    def _own_importlib(self) -> ModuleType:
        """``importlib`` as the folder's code sees it: its ``import_module`` finds the folder's modules too."""

        def import_module(name: str, package: str | None = None) -> ModuleType:
            if name.startswith(".") or not self.owns(name.partition(".")[0]):
                return importlib.import_module(name, package)
            return self.load(name)

        seen = ModuleType("importlib", importlib.__doc__)
        vars(seen).update({**vars(importlib), "import_module": import_module})
        vars(seen)["__getattr__"] = lambda name: getattr(importlib, name)  # submodules that are loaded later
        return seen

    def _show_as_inside(self, error: ImportError) -> None:
        """Leave the private name out: user code may look at an error's ``name``."""
        prefix = f"{self.name}."
        error.msg = str(error.msg).replace(prefix, "")
        if error.name is not None:
            error.name = error.name.removeprefix(prefix)


def _print(*values: object, sep: str | None = None, end: str | None = None, file: Any = None, **more: Any) -> None:  # noqa: ANN401 - print's own
    """``print`` of the folder's code. What goes to standard output is also in the tail of its invocation's log."""
    printed = file is None or file is sys.stdout
    if not (printed and isinstance(sep, str | None) and isinstance(end, str | None)):
        print(*values, sep=sep, end=end, file=file, **more)
        return
    # Once, since it may run code of the user's.
    text = (" " if sep is None else sep).join(map(str, values))
    print(text, end=end, **more)
    keep(text + ("" if end is None else end.rstrip("\n")))


class _Source(SourceFileLoader):
    def __init__(self, fullname: str, path: str, namespace: Namespace) -> None:
        super().__init__(fullname, path)
        self._namespace = namespace

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._namespace.builtins
        super().exec_module(module)

    def source_to_code(self, data: Any, path: Any, **more: Any) -> CodeType:  # type: ignore[override] # noqa: ANN401
        return super().source_to_code(data, own_name(os.fspath(path), self._namespace.copies), **more)

    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        return renamed(code, self._namespace.copies) if code is not None and self._namespace.copies else code


class _Bytecode(SourcelessFileLoader):
    def __init__(self, fullname: str, path: str, namespace: Namespace) -> None:
        super().__init__(fullname, path)
        self._namespace = namespace

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._namespace.builtins
        super().exec_module(module)


class _Finder(MetaPathFinder):
    """Finds the submodules of namespaces as Python itself would, and has their code import through its namespace."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        namespace = _namespaces.get(fullname.partition(".")[0])
        if namespace is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Source(spec.loader.name, spec.loader.path, namespace)
        elif spec is not None and isinstance(spec.loader, SourcelessFileLoader):
            spec.loader = _Bytecode(spec.loader.name, spec.loader.path, namespace)
        return spec


def _installed(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.loader is not None


_finder = _Finder()
