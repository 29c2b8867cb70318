"""What code in Python worker processes finds: its modules, layers, interpreter and environment."""

from __future__ import annotations

import sys
import venv
import zipfile
from typing import TYPE_CHECKING

import pytest

from handlers.errors import FunctionUnusable
from tests.e2e.functions import (
    REPOSITORY,
    exists,
    python_function,
)
from tests.e2e.python_workers import ECHO, failed, nothing_left_behind, run, value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See ``nothing_left_behind``."""
    with nothing_left_behind(tmp_path, monkeypatch):
        yield


async def test_a_worker_imports_none_of_our_packages(tmp_path: Path) -> None:
    """``config`` and the like do not exist for a function that has none, however Headrace is installed."""
    source = """
        import importlib.util, sys
        def handler(event, context):
            names = ["config", "handlers", "pollers", "tests", "benchmarks"]
            ours = [name for name in sys.modules if name.partition(".")[0] in names]
            return [[importlib.util.find_spec(name) is not None for name in names], ours]
    """
    async with python_function(tmp_path / "code", source) as function:
        assert value(await run(function)) == [[False] * 5, []]


async def test_a_functions_own_modules_of_our_names_are_the_ones_it_gets(tmp_path: Path) -> None:
    """A module, a package and a namespace package."""
    code = tmp_path / "code"
    (code / "handlers").mkdir(parents=True)
    (code / "pollers").mkdir()
    (code / "config.py").write_text("WHOSE = 'config of the function'\n")
    (code / "handlers" / "__init__.py").write_text("")
    (code / "handlers" / "function.py").write_text("WHOSE = 'handlers of the function'\n")
    (code / "pollers" / "poller.py").write_text("WHOSE = 'pollers of the function'\n")
    source = """
        import config, pollers.poller
        from handlers.function import WHOSE
        def handler(event, context): return [config.WHOSE, WHOSE, pollers.poller.WHOSE]
    """
    async with python_function(code, source) as function:
        assert value(await run(function)) == [f"{name} of the function" for name in ("config", "handlers", "pollers")]


async def test_import_of_a_missing_config_fails_as_on_lambda(tmp_path: Path) -> None:
    """No module of ours is found in its place."""
    async with python_function(tmp_path / "code", "import config\n" + ECHO) as function:
        assert failed(await run(function)).message == "Unable to import module 'app': No module named 'config'"


async def test_layers_lie_over_each_other_and_the_code_over_them(tmp_path: Path) -> None:
    """``python/``, ``python/lib/pythonX.Y/site-packages`` and bare folders; a later layer wins; ``bin`` is on the path."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    first, second, bare = (tmp_path / name for name in ("first", "second", "bare"))
    packages = second / "python" / "lib" / version / "site-packages"
    for folder in (first / "python", packages, bare, first / "bin"):
        folder.mkdir(parents=True)
    (first / "python" / "a.py").write_text("X = 'first'\n")
    (first / "python" / "b.py").write_text("X = 'first'\n")
    (packages / "b.py").write_text("X = 'second'\n")
    (bare / "c.py").write_text("X = 'bare'\n")
    (bare / "d.py").write_text("X = 'bare'\n")
    (first / "bin" / "tool").write_text("#!/bin/sh\necho tool\n")
    (first / "bin" / "tool").chmod(0o755)
    zipped = tmp_path / "zipped.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("python/e.py", "X = 'zipped'\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "d.py").write_text("X = 'code'\n")
    source = """
        import subprocess, a, b, c, d, e
        def handler(event, context):
            return [a.X, b.X, c.X, d.X, e.X, subprocess.check_output("tool", text=True).strip()]
    """
    async with python_function(tmp_path / "code", source, layers=[first, second, bare, zipped]) as function:
        assert value(await run(function)) == ["first", "second", "bare", "code", "zipped", "tool"]


async def test_a_zip_is_code(tmp_path: Path) -> None:
    """Unpacked to a folder of the function's own, which is its task root and working directory."""
    code = tmp_path / "code.zip"
    source = """
        import os, helper
        def handler(event, context): return [helper.X, os.getcwd() == os.environ["LAMBDA_TASK_ROOT"], __file__]
    """
    function = python_function(tmp_path / "unused", source, code=code)
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(tmp_path / "unused" / "app.py", "app.py")
        archive.writestr("helper.py", "X = 'zipped'\n")
    async with function:
        result = value(await run(function))
    assert result[:2] == ["zipped", True]
    assert not exists(result[2])


async def test_missing_code_is_unusable(tmp_path: Path) -> None:
    """Entering says what is wrong, and leaves nothing behind."""
    function = python_function(tmp_path / "code", ECHO, code=tmp_path / "missing")
    with pytest.raises(FunctionUnusable, match=r"function orders: code: .*missing is nothing"):
        async with function:
            pass


@pytest.mark.parametrize("name", ["missing", "text"])
async def test_an_interpreter_that_is_none_is_unusable(tmp_path: Path, name: str) -> None:
    """Missing, or not executable."""
    (tmp_path / "text").write_text("no interpreter")
    function = python_function(tmp_path / "code", ECHO, interpreter=tmp_path / name)
    with pytest.raises(FunctionUnusable, match=rf"function orders: interpreter: .*{name} cannot be run"):
        async with function:
            pass


async def test_another_virtual_environment_is_lent_our_client(tmp_path: Path) -> None:
    """One of the same Python version needs no awslambdaric of its own, and sees nothing else of ours."""
    environment = tmp_path / "venv"
    venv.create(environment, symlinks=True, with_pip=False)
    packages = next((environment / "lib").glob("python*/site-packages"))
    (packages / "dependency.py").write_text("X = 'its own'\n")
    source = """
        import importlib.util, sys, dependency
        def handler(event, context):
            return [sys.prefix, dependency.X, importlib.util.find_spec("pydantic") is not None]
    """
    interpreter = environment / "bin" / "python"
    async with python_function(tmp_path / "code", source, interpreter=interpreter) as function:
        assert value(await run(function)) == [str(environment), "its own", False]


async def test_an_interpreter_of_another_version_needs_its_own_client(tmp_path: Path) -> None:
    """Ours is compiled for one version: the message says what to install, and where."""
    interpreter = tmp_path / "python"
    # It stands for an interpreter whose version is another one: none of our client's compiled parts is made for it.
    interpreter.write_text(
        f"#!/bin/sh\nshift\nexec {sys.executable} -S -c '"
        'import importlib.machinery as m, sys, runpy; m.EXTENSION_SUFFIXES[:] = [".cpython-39-other.so"]; '
        f'sys.argv = ["{REPOSITORY / "handlers" / "workers" / "main.py"}", sys.argv[1]]; '
        'runpy.run_path(sys.argv[0], run_name="__main__")\' "$@"\n'
    )
    interpreter.chmod(0o755)
    function = python_function(tmp_path / "code", ECHO, interpreter=interpreter)
    with pytest.raises(FunctionUnusable, match=r"has no awslambdaric.*pip install awslambdaric"):
        async with function:
            pass


async def test_the_environment_holds_nothing_of_headraces_own(tmp_path: Path) -> None:
    """Only what a worker is meant to have, and a scratch folder of its own that is writable."""
    source = """
        import os, tempfile
        def handler(event, context):
            with tempfile.NamedTemporaryFile() as file:
                inside = file.name.startswith(os.environ["TMPDIR"])
            return [sorted(os.environ), inside, os.listdir(os.environ["TMPDIR"])]
    """
    async with python_function(tmp_path / "code", source, credentials="none") as function:
        names, inside, listed = value(await run(function))
    assert set(names) - {"LC_CTYPE"} == {
        *("AWS_CONFIG_FILE", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_EXECUTION_ENV"),
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"),
        *(
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_FORMAT",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
        ),
        *("AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SHARED_CREDENTIALS_FILE", "HOME", "LAMBDA_RUNTIME_DIR"),
        *("LAMBDA_TASK_ROOT", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID"),
    }
    assert inside
    assert listed == []


async def test_a_proxy_is_passed_on_and_does_not_stand_before_the_runtime_api(tmp_path: Path) -> None:
    """Whatever NO_PROXY says: loopback is added to it."""
    source = """
        import os, urllib.request
        def handler(event, context):
            return [urllib.request.getproxies().get("http"), bool(urllib.request.proxy_bypass("127.0.0.1:80"))]
    """
    own = {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "a.example"}
    async with python_function(tmp_path / "code", source, environment=own) as function:
        assert value(await run(function)) == ["http://127.0.0.1:9", True]
