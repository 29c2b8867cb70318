"""Which room may know which: no circles, one way between packages, and constructors that can be read."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
PACKAGES = ("config", "handlers", "pollers")
"""From the lowest to the highest: each may import those before it."""
MOST_PARAMETERS = 7


@dataclass(frozen=True)
class Import:
    """One module imports another. ``only_for_types``: under ``TYPE_CHECKING``; ``late``: inside a function."""

    importer: str
    imported: str
    only_for_types: bool
    late: bool


@cache
def modules(root: Path) -> Mapping[str, Path]:
    """Every module below ``root``, by dotted name; a package by the name of its folder."""
    found = {}
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return MappingProxyType(found)


@cache
def parsed(path: Path) -> ast.Module:
    """A module of the tree. Each is parsed once, whoever asks, and nobody changes what comes back."""
    return ast.parse(path.read_text())


def imports(name: str, tree: ast.Module, known: Mapping[str, Path]) -> Iterator[Import]:
    """What a module imports of ours. A name that is itself a module counts as that module."""

    def visit(node: ast.AST, *, types: bool, late: bool) -> Iterator[Import]:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for guarded in node.body:
                    yield from visit(guarded, types=True, late=late)
                for other in node.orelse:
                    yield from visit(other, types=types, late=late)
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                late = True
            case ast.ImportFrom(module=str(module)):
                for alias in node.names:
                    full = f"{module}.{alias.name}"
                    if (imported := full if full in known else module) in known:
                        yield Import(name, imported, types, late)
            case ast.Import():
                for alias in node.names:
                    if alias.name in known:
                        yield Import(name, alias.name, types, late)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, types=types, late=late)

    yield from visit(tree, types=False, late=False)


def room(name: str, path: Path) -> str:
    """The folder that a module lies in; a module right in one of the three packages is a room of its own."""
    if path.name == "__init__.py" or name.count(".") == 1:
        return name
    return name.rpartition(".")[0]


def circles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of names that can all be reached from one another (Tarjan's strongly connected components)."""
    graph: dict[str, set[str]] = defaultdict(set)
    for one, other in edges:
        graph[one].add(other)
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = lowest[name] = len(index)
        stack.append(name)
        for other in graph.get(name, ()):
            if other not in index:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], index[other])
        if lowest[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1 or name in graph.get(name, ()):
                found.append(sorted(group))

    for name in list(graph):
        if name not in index:
            visit(name)
    return sorted(found)


@cache
def all_imports() -> tuple[Import, ...]:
    """Every import of the tree."""
    known = modules(ROOT)
    return tuple(one for name, path in known.items() for one in imports(name, parsed(path), known))


def test_no_rooms_form_a_circle() -> None:
    """Not even by imports that are only for types: whoever reads a room need not read the one above it."""
    known = modules(ROOT)
    edges = {(room(i.importer, known[i.importer]), room(i.imported, known[i.imported])): i for i in all_imports()}
    assert circles(edge for edge in edges if edge[0] != edge[1]) == []


def test_no_files_form_a_circle_while_they_are_imported() -> None:
    """What depends on the order of imports breaks when somebody imports another module first."""
    assert circles((i.importer, i.imported) for i in all_imports() if not (i.only_for_types or i.late)) == []


def test_packages_import_one_way() -> None:
    """``pollers`` may import ``handlers`` and ``config``, ``handlers`` only ``config``, ``config`` neither."""
    order = {package: place for place, package in enumerate(PACKAGES)}
    wrong = [i for i in all_imports() if order[i.importer.split(".")[0]] < order[i.imported.split(".")[0]]]
    assert wrong == []


@pytest.mark.parametrize("low", ["pollers.telemetry", "pollers.engine"])
def test_low_rooms_know_nothing_of_what_uses_them(low: str) -> None:
    """Facts and the folds over them, and what every source shares, know no source, supervisor, view or server."""
    above = (
        "pollers.sources",
        "pollers.supervisor",
        "pollers.status",
        "pollers.server",
        "pollers.commands",
        "pollers.functions",
    )
    assert [i for i in all_imports() if i.importer.startswith(low) and i.imported.startswith(above)] == []


def constructors(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The classes of a module and how many parameters their constructors take; of a value's, those that must be given."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and member.name == "__init__":
                yield node.name, len(member.args.args) - 1 + len(member.args.kwonlyargs)
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list) or any(
            ast.unparse(parent) == "NamedTuple" for parent in node.bases
        ):
            yield node.name, sum(isinstance(field, ast.AnnAssign) and field.value is None for field in node.body)


RECORDS = frozenset({"FailureRecord"})
"""Plain records whose members a document dictates: nothing is joined that belongs apart."""


def test_no_constructor_takes_more_than_seven_parameters() -> None:
    """One that does joins things that belong apart."""
    found = {
        f"{name}.{owner}": count
        for name, path in modules(ROOT).items()
        for owner, count in constructors(parsed(path))
        if count > MOST_PARAMETERS and owner not in RECORDS
    }
    assert found == {}


def names(room_path: Path) -> set[str]:
    """The modules and the classes of one room."""
    found = {path.stem for path in room_path.glob("*.py")}
    for path in room_path.glob("*.py"):
        found |= {node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)}
    return found


def test_no_two_names_of_a_room_differ_by_an_s_alone() -> None:
    """Who reads quickly takes one for the other."""
    found = {path: names(path) for path in {path.parent for path in modules(ROOT).values()}}
    assert [
        (path.name, name) for path, room_names in found.items() for name in room_names if name + "s" in room_names
    ] == []


class TestTheseTestsCanFail:
    """Each rule above, on a few lines that break it."""

    KNOWN: ClassVar = {
        name: Path(f"{name.replace('.', '/')}.py") for name in ("pollers.a.x", "pollers.b.y", "pollers.c")
    }

    def test_an_import_for_types_is_seen(self) -> None:
        """Also below other statements."""
        text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pollers.b import y\n"
        assert list(imports("pollers.a.x", ast.parse(text), self.KNOWN)) == [
            Import("pollers.a.x", "pollers.b.y", only_for_types=True, late=False)
        ]

    def test_an_import_inside_a_function_is_seen(self) -> None:
        """It makes rooms depend on each other as well."""
        text = "def f():\n    import pollers.c\n    from pollers.b.y import Name\n"
        assert {i.imported for i in imports("pollers.a.x", ast.parse(text), self.KNOWN) if i.late} == {
            "pollers.c",
            "pollers.b.y",
        }

    def test_circles_of_two_and_of_three_are_found(self) -> None:
        """And what hangs on them is not part of them."""
        edges = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("x", "y"), ("y", "x"), ("y", "z")]
        assert circles(edges) == [["a", "b", "c"], ["x", "y"]]

    def test_a_long_constructor_is_found(self) -> None:
        """Keyword-only parameters count too."""
        text = "class Big:\n    def __init__(self, a, b, c, d, *, e, f, g, h): ...\n"
        assert list(constructors(ast.parse(text))) == [("Big", 8)]

    def test_a_long_dataclass_is_found(self) -> None:
        """Fields with a default need not be given, so they do not count."""
        text = "@dataclass\nclass Big:\n" + "".join(f"    f{i}: int\n" for i in range(9)) + "    g: int = 0\n"
        assert list(constructors(ast.parse(text))) == [("Big", 9)]

    def test_names_that_differ_by_an_s_are_found(self, tmp_path: Path) -> None:
        """A module is a name as well."""
        (tmp_path / "lane.py").write_text("class Lane: ...\nclass Lanes: ...\n")
        assert names(tmp_path) == {"lane", "Lane", "Lanes"}

    def test_a_long_named_tuple_is_found(self) -> None:
        """It is given by position, which is worse."""
        text = "class Big(NamedTuple):\n" + "".join(f"    f{i}: int\n" for i in range(8))
        assert list(constructors(ast.parse(text))) == [("Big", 8)]
