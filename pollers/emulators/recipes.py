"""One class for each emulator: how it is installed, started and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pollers.emulators.cache import Installable, step
from pollers.emulators.node import node_environment
from pollers.emulators.pinned import environment_python, install_pinned, pins_digest

if TYPE_CHECKING:
    from pathlib import Path

KINESIS_LOCAL_VERSION = "0.6.2"
ACCOUNT = "000000000000"
"""The account that every emulator uses."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start."""

    arguments: tuple[str, ...]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)


class Recipe(Installable, Protocol):
    """What the cache and the process supervisor need to know of an emulator."""

    @property
    def health_path(self) -> str | None:
        """Answers 200 to a GET when the emulator is ready. None: it speaks no HTTP, and is ready when it takes a connection."""

    @property
    def start_seconds(self) -> float:
        """How long a start may take on a loaded machine."""

    def launch(self, folder: Path, port: int, spare_port: int, state: Path) -> Launch:
        """The process to start on ``port`` of 127.0.0.1; ``state`` is an empty folder of this run's own."""


@dataclass(frozen=True, slots=True)
class Ministack:
    """SQS, DynamoDB Streams, Kinesis (without resharding), SNS and S3 in half a second."""

    name: str = "ministack"
    version: str = "1.5.33"
    health_path: str = "/_ministack/health"
    start_seconds: float = 30

    @property
    def revision(self) -> str:
        """Changes when other versions are pinned."""
        return f"2-{pins_digest(self.name)}"

    def install(self, folder: Path) -> None:
        """In an environment of its own: ministack pins another botocore than aiobotocore does."""
        install_pinned(self.name, f"ministack=={self.version}", folder)

    def launch(self, folder: Path, port: int, spare_port: int, state: Path) -> Launch:
        """Its console script, which pip wrote beside the interpreter."""
        return Launch(
            (str(environment_python(folder)), str(folder / "venv" / "bin" / "ministack")),
            state,
            {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)},
        )


_LOOPBACK_ONLY = """\
// Makes every server of this process listen on 127.0.0.1: kinesis-local itself would take all interfaces.
const { Server } = require("node:net");
const listen = Server.prototype.listen;
Server.prototype.listen = function (...parameters) {
  const done = parameters.find((parameter) => typeof parameter === "function");
  const first = parameters[0];
  const where = first !== null && typeof first === "object" ? { ...first } : { port: first };
  where.host = "127.0.0.1";
  return done ? listen.call(this, where, done) : listen.call(this, where);
};
"""


@dataclass(frozen=True, slots=True)
class KinesisLocal:
    """Kinesis with everything about shards: split, merge, lineage, iterator expiry."""

    name: str = "kinesis-local"
    version: str = KINESIS_LOCAL_VERSION
    revision: str = "2"
    health_path: str = "/healthcheck"
    start_seconds: float = 30

    def install(self, folder: Path) -> None:
        """One npm package without dependencies."""
        step(
            [
                "npm",
                "install",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
                "--prefix",
                folder,
                f"kinesis-local@{self.version}",
            ],
            folder=folder,
            environment=node_environment(),
        )
        (folder / "loopback.cjs").write_text(_LOOPBACK_ONLY)

    def launch(self, folder: Path, port: int, spare_port: int, state: Path) -> Launch:
        """From its own folder, where it looks for its certificate; changes take 50 ms instead of half a second."""
        package = folder / "node_modules" / "kinesis-local"
        durations = [
            f"{change}_DURATION"
            for change in (
                "CREATE_STREAM",
                "DELETE_STREAM",
                "REGISTER_STREAM_CONSUMER",
                "DEREGISTER_STREAM_CONSUMER",
                "MERGE_SHARDS",
                "SPLIT_SHARD",
                "UPDATE_SHARD_COUNT",
            )
        ]
        return Launch(
            ("node", "--require", str(folder / "loopback.cjs"), "main.js"),
            package,
            {
                "KINESIS_MOCK_PLAIN_PORT": str(port),
                "KINESIS_MOCK_TLS_PORT": str(spare_port),
                "AWS_ACCOUNT_ID": ACCOUNT,
                "SHARD_LIMIT": "5000",
                "LOG_LEVEL": "ERROR",
                **node_environment(),
                **dict.fromkeys(durations, "50ms"),
            },
        )


_OUTSIDE_DOCKER = {
    "OVERRIDE_IN_DOCKER": "0",
    "DISABLE_EVENTS": "1",
    # This release's own choice, 0.4.13, mostly reads from the beginning of the stream, whatever the iterator is.
    "KINESIS_MOCK_VERSION": KINESIS_LOCAL_VERSION,
}


@dataclass(frozen=True, slots=True)
class LocalStack:
    """LocalStack outside its container: SQS, Kinesis, SNS and S3, without what needs Docker (Lambda, DynamoDB)."""

    name: str = "localstack"
    version: str = "4.9.2"
    health_path: str = "/_localstack/health"
    start_seconds: float = 90

    @property
    def revision(self) -> str:
        """Changes when other versions are pinned."""
        return f"4-{pins_digest(self.name)}"

    def install(self, folder: Path) -> None:
        """What it needs is pinned as of its release, since newer packages break it; with the kinesis-local that it runs."""
        install_pinned(self.name, f"localstack-core[runtime]=={self.version}", folder)
        root = folder / "filesystem"
        root.mkdir()
        (folder / "loopback.cjs").write_text(_LOOPBACK_ONLY)
        step(
            [environment_python(folder), "-m", "localstack.cli.lpm", "install", "kinesis-mock"],
            folder=folder,
            environment=_OUTSIDE_DOCKER | node_environment() | {"FILESYSTEM_ROOT": str(root), "TMPDIR": str(root)},
        )

    def launch(self, folder: Path, port: int, spare_port: int, state: Path) -> Launch:
        """With a file system of this run's own, in which only the installed libraries are shared."""
        libraries = state / "usr" / "lib" / "localstack"
        libraries.parent.mkdir(parents=True)
        libraries.symlink_to(folder / "filesystem" / "usr" / "lib" / "localstack")
        return Launch(
            (str(environment_python(folder)), "-m", "localstack.runtime.main"),
            state,
            {
                **_OUTSIDE_DOCKER,
                **node_environment(),
                "FILESYSTEM_ROOT": str(state),
                "TMPDIR": str(state),
                "GATEWAY_LISTEN": f"127.0.0.1:{port}",
                "LOCALSTACK_HOST": f"localhost:{port}",
                "SQS_ENDPOINT_STRATEGY": "path",
                "GATEWAY_SERVER": "hypercorn",
                "SKIP_SSL_CERT_DOWNLOAD": "1",
                "DNS_ADDRESS": "0",
                "KINESIS_LATENCY": "50",
                "KINESIS_SHARD_LIMIT": "5000",
                "NODE_OPTIONS": f"--require {folder / 'loopback.cjs'}",
            },
        )
