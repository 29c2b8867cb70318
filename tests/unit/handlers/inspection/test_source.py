"""What a module's text says of its imports and names."""

from __future__ import annotations

import ast
import textwrap

import pytest

from handlers.inspection.source import imports, lacks, moves_path


def found(text: str, package: str = "") -> list[str]:
    """The modules that the text needs."""
    return [one.module for one in imports(ast.parse(textwrap.dedent(text)), package)]


def test_plain_imports_are_needed() -> None:
    """In whatever form, and in a class or a finally clause too."""
    text = """
        import a.b as c, d
        from e.f import g
        class H:
            import i
        try:
            import j
        except ValueError:
            pass
        finally:
            import k
    """
    assert found(text) == ["a.b", "d", "e.f", "i", "j", "k"]


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import a\nexcept ImportError:\n    import b\nelse:\n    import c",
        "try:\n    import a\nexcept (KeyError, ModuleNotFoundError):\n    pass",
        "try:\n    import a\nexcept:\n    pass",
        "try:\n    import a\nexcept Exception:\n    pass",
        "if TYPE_CHECKING:\n    import a",
        "if typing.TYPE_CHECKING:\n    import a\nelse:\n    import b",
        "if sys.version_info < (3, 11):\n    import tomli",
        "if __name__ == '__main__':\n    import a",
        "with contextlib.suppress(ImportError):\n    import a",
        "def f():\n    try:\n        import a\n    except ImportError:\n        a = None",
    ],
)
def test_imports_that_may_fail_or_never_run_are_not_needed(text: str) -> None:
    """Nobody is to be warned of an optional dependency."""
    assert found(text) == []


def test_an_import_inside_a_function_is_lazy() -> None:
    """It may fail later, or never."""
    (one,) = imports(ast.parse("async def f():\n    def g():\n        import boto3"), "")
    assert (one.module, one.line, one.lazy) == ("boto3", 3, True)


@pytest.mark.parametrize(
    ("text", "package", "module"),
    [
        ("from . import a", "p", "p"),
        ("from .a import b", "p.q", "p.q.a"),
        ("from ..a import b", "p.q", "p.a"),
        ("from ...a import b", "p.q", "...a"),
        ("from . import a", "", "."),
    ],
)
def test_relative_imports_are_resolved(text: str, package: str, module: str) -> None:
    """Those that lead out of their package keep their dots."""
    assert found(text, package) == [module]


@pytest.mark.parametrize(
    "text",
    [
        "def handler(): ...",
        "async def handler(): ...",
        "class handler: ...",
        "handler = f",
        "a, (b, handler) = f()",
        "handler: int = 1",
        "if x:\n    def handler(): ...",
        "try:\n    from a import handler\nexcept ImportError:\n    pass",
        "from a import b as handler",
        "import handler.b",
        "for handler in x: pass",
        "with x as handler: pass",
        "if (handler := 1): pass",
        "match x:\n    case {'a': [*handler]}: pass",
        "from a import *",
        "def __getattr__(name): ...",
        "from a import __getattr__",
        "def f():\n    global handler\n    handler = 1",
        "globals()['handler'] = 1",
        "exec(code)",
        "sys.modules[__name__] = Other()",
        "setattr(sys.modules[__name__], 'handler', 1)",
    ],
)
def test_what_may_bring_the_name_is_no_lack(text: str) -> None:
    """Only certainty counts: the start is refused for it."""
    assert not lacks(ast.parse(text), "handler")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def handle(): ...",
        "class A:\n    def handler(self): ...",
        "def f():\n    handler = 1",
        "f = lambda handler: 1",
        "print(handler)",
        "x.handler = 1",
        "import a.handler",
    ],
)
def test_what_cannot_bring_the_name_is(text: str) -> None:
    """A name inside of something else is not the module's."""
    assert lacks(ast.parse(text), "handler")


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nsys.path.append('lib')",
        "from sys import path\npath.append('lib')",
        "import sys\ndef load():\n    sys.path[:0] = ['lib']",
        "import site\nsite.addsitedir('lib')",
        "import sys\nsys.meta_path.insert(0, object())",
    ],
)
def test_changes_of_the_path_are_seen(text: str) -> None:
    """Wherever they stand."""
    assert moves_path(ast.parse(text))


@pytest.mark.parametrize("text", ["import os.path\nos.path.join('a', 'b')", "import sys\nsys.exit(1)", "path = 'x'"])
def test_other_paths_are_no_changes(text: str) -> None:
    """What is only called so."""
    assert not moves_path(ast.parse(text))
