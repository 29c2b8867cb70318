"""What a module's text says: what it imports, and whether it has a name at its top level (deciders on its syntax tree)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_MAKERS_OF_NAMES = frozenset({"globals", "exec", "vars", "locals", "setattr", "eval"})
"""Whoever calls one of these at the top level may define any name."""
_PLACES_OF_MODULES = frozenset({"path", "meta_path", "path_hooks"})
"""What of ``sys`` says where modules are looked for."""


class Import(NamedTuple):
    """One import. ``module`` is absolute, or begins with a dot where a relative one leads out of its package."""

    module: str
    names: tuple[str, ...]
    """What is taken from the module, each of them perhaps a module of its own."""
    line: int
    lazy: bool
    """It is inside a function: it runs with an invocation, or never."""


def imports(tree: ast.Module, package: str) -> list[Import]:
    """What the module needs. ``package`` is the one that it lies in, or is; empty at the top level.

    Left out is what need not be there: imports in ``try`` with ``except ImportError``, under ``if`` (``TYPE_CHECKING``, versions),
    in ``except`` clauses, and under ``suppress(ImportError)``.
    """
    return list(_imports(tree.body, package, lazy=False))


def _imports(statements: list[ast.stmt], package: str, *, lazy: bool) -> Iterator[Import]:
    for node in statements:
        match node:
            case ast.Import():
                yield from (Import(alias.name, (), node.lineno, lazy) for alias in node.names)
            case ast.ImportFrom():
                names = tuple(alias.name for alias in node.names)
                yield Import(_absolute(node, package), names, node.lineno, lazy)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _imports(node.body, package, lazy=True)
            case ast.Try() | ast.TryStar():
                if not any(_catches_import_errors(handler.type) for handler in node.handlers):
                    yield from _imports([*node.body, *node.orelse], package, lazy=lazy)
                yield from _imports(node.finalbody, package, lazy=lazy)
            case ast.With() | ast.AsyncWith():
                if not any(_suppresses_import_errors(item.context_expr) for item in node.items):
                    yield from _imports(node.body, package, lazy=lazy)
            case ast.ClassDef() | ast.For() | ast.AsyncFor() | ast.While():
                yield from _imports(node.body, package, lazy=lazy)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    around = package.split(".") if package else []
    if node.level > len(around):
        return "." * node.level + (node.module or "")
    return ".".join([*around[: len(around) - node.level + 1], *([node.module] if node.module else [])])


def _catches_import_errors(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_catches_import_errors(one) for one in kind.elts)
    return kind is None or _last_name(kind) in _IMPORT_ERRORS


def _suppresses_import_errors(context: ast.expr) -> bool:
    return (
        isinstance(context, ast.Call)
        and _last_name(context.func) == "suppress"
        and any(_last_name(argument) in _IMPORT_ERRORS for argument in context.args)
    )


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def moves_path(tree: ast.Module) -> bool:
    """Whether the module may change where modules are looked for: what it imports may then be anywhere."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="sys"), attr=attribute) if attribute in _PLACES_OF_MODULES:
                return True
            case ast.ImportFrom(module="sys") if any(alias.name in _PLACES_OF_MODULES for alias in node.names):
                return True
            case ast.Attribute(attr="addsitedir") | ast.Name(id="addsitedir"):
                return True
    return False


def takes_no_two(tree: ast.Module, name: str) -> int | None:
    """The line of the handler's only definition if it certainly cannot be called with event and context, else None."""
    found = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    stored = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    if len(found) != 1 or any(isinstance(node.ctx, ast.Store) for node in stored) or found[0].decorator_list:
        return None
    arguments = found[0].args
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    fits = least <= 2 and (most >= 2 or arguments.vararg is not None) and None not in arguments.kw_defaults
    return None if fits else found[0].lineno


def lacks(tree: ast.Module, name: str) -> bool:
    """Whether the module certainly has no such name once it is loaded: nothing in its text could bring it."""
    names: set[str] = set()
    nodes: list[ast.AST] = [*tree.body]
    while nodes:
        node = nodes.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
                continue  # what is inside is not the module's, but for `global`, below
            case ast.Lambda():
                continue
            case ast.alias():
                names.add(node.asname or node.name.partition(".")[0])
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
                names.add(node.name or "")
            case ast.MatchMapping():
                names.add(node.rest or "")
        nodes.extend(ast.iter_child_nodes(node))
    return not ({name, "*", "__getattr__"} & names) and not _may_define(tree, name)


def _may_define(tree: ast.Module, name: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global) and name in node.names:
            return True
        if isinstance(node, ast.Name) and node.id in _MAKERS_OF_NAMES:
            return True
        if isinstance(node, ast.Attribute) and node.attr in ("modules", "__dict__"):
            return True
    return False
