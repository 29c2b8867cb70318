"""What is shipped: the wheel, and the image by a dry run of its steps."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


def run(*arguments: str | Path, folder: Path, timeout: float = 300) -> str:
    """Run a command to its end; its output."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution, built as the image does it: from what .dockerignore lets through."""
    source = tmp_path_factory.mktemp("context")
    for name in context():
        where = ROOT / name
        if where.is_dir():
            shutil.copytree(where, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules"))
        else:
            shutil.copy(where, source / name)
    output = tmp_path_factory.mktemp("wheel")
    pins = ("--build-constraint", source / "constraints.txt")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        *pins,
        "--wheel-dir",
        output,
        source,
        folder=output,
    )
    [built] = output.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel and none of the checkout; dependencies are this environment's own."""
    folder = tmp_path_factory.mktemp("installed")
    # Without a pip of its own: to unpack that takes longer than all the rest.
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel, folder=folder)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip())
    # Files named in a .pth of another site-packages are not read, so the editable checkout stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def context() -> list[str]:
    """What .dockerignore lets into the build."""
    return [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]


@cache
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile, an instruction an element, continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    """Tests, benchmarks and caches stay out; what the packages read at run time is in."""
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith((".dist-info", ".data"))} == {"pollers", "handlers", "config"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    for needed in (
        "config/local.yaml",
        "config/py.typed",
        "handlers/py.typed",
        "pollers/py.typed",
    ):
        assert needed in names
    for needed in ("demo/headrace.yaml", "orders/app.py", "audit/audit.py"):
        assert any(name.endswith(f".data/data/share/headrace/examples/{needed}") for name in names)
    metadata = next(name for name in names if name.endswith("METADATA"))
    assert "License-Expression: Apache-2.0" in zipfile.ZipFile(wheel).read(metadata).decode()


def test_every_file_that_is_not_python_is_in_the_wheel(wheel: Path) -> None:
    """The console's assets and whatever else lies beside the code."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("pollers", "handlers", "config"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in names


def test_the_installed_command_works_outside_a_checkout(installed: Path, tmp_path: Path) -> None:
    """Help, version, schema, and the sample functions of the demo."""
    headrace = installed / "headrace"
    assert "event source mappings" in run(headrace, "--help", folder=tmp_path)
    assert "headrace" in run(headrace, "--version", folder=tmp_path)
    assert json.loads(run(headrace, "schema", folder=tmp_path))["type"] == "object"
    code = "from pollers.commands.demo import examples_folder as e; print(e()); assert (e() / 'demo/headrace.yaml').is_file()"
    where = Path(run(installed / "python", "-c", code, folder=tmp_path).strip())
    assert ROOT not in where.parents
    assert "orders" in run(headrace, "check", where / "headrace.yaml", folder=tmp_path)


def test_the_installed_packages_are_the_wheels(installed: Path, tmp_path: Path) -> None:
    """The test above would prove nothing about the wheel if the checkout were found first."""
    for package in ("pollers", "handlers", "config"):
        where = run(installed / "python", "-c", f"import {package}; print({package}.__file__)", folder=tmp_path)
        assert ROOT not in Path(where.strip()).parents


def test_the_image_copies_only_what_exists_and_is_let_in() -> None:
    """Each COPY of the build context names a file or folder that .dockerignore lets through."""
    sources = [
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        assert source in context()


def test_the_image_runs_as_nobody_and_stops_by_sigterm() -> None:
    """Non-root by number, so that Kubernetes can check it; the command is `headrace run`."""
    last = dict(instructions())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"]) == ["headrace", "run"]
    stages = [word for word, _ in instructions() if word == "FROM"]
    assert len(stages) == 2


def test_the_image_has_boto3_as_lambda_has_and_every_other_extra() -> None:
    """Handlers that are brought along expect boto3; the others are small beside what is there."""
    [install] = [rest for word, rest in instructions() if word == "RUN" and "/pip " not in rest and '".[' in rest]
    assert '".[boto3,documentdb,otel]"' in install


@pytest.fixture
def health() -> Iterator[tuple[int, list[int]]]:
    """A server with a health of one's choice: its port, and the statuses that it answers with, in turn."""
    statuses: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0) if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port, statuses
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_images_health_check_is_the_servers_answer(
    health: tuple[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 is healthy; 503, and nobody there, is not. A proxy of the environment is not asked."""
    port, statuses = health
    rest = dict(instructions())["HEALTHCHECK"]
    command = json.loads(rest[rest.index("[") :])
    assert command[0] == "python"
    command = [sys.executable, *(argument.replace("8787", str(port)) for argument in command[1:])]
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    statuses += [200, 503]
    assert subprocess.run(command, timeout=120, check=False).returncode == 0
    assert subprocess.run(command, timeout=120, check=False).returncode != 0
    gone = [argument.replace(str(port), "9") for argument in command]
    assert subprocess.run(gone, timeout=120, check=False, stderr=subprocess.DEVNULL).returncode != 0


def test_the_dockerfile_is_clean() -> None:
    """hadolint has nothing to say (where its binary is to be had)."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("no hadolint for this platform")
    assert run(hadolint, DOCKERFILE, folder=ROOT) == ""


def test_compose_mounts_and_starts_what_exists() -> None:
    """Bind mounts and the configuration are in the repository; ports are published on loopback only."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert set(services) == {"localstack", "sources", "headrace"}
    for service in services.values():
        for mount in service.get("volumes", []):
            if mount.startswith("./"):
                assert (ROOT / mount.partition(":")[0]).exists()
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for other in service.get("depends_on", {}):
            assert other in services
    assert (ROOT / services["headrace"]["command"][1]).is_file()
    assert services["localstack"]["image"] == services["sources"]["image"]
