"""AWS's own Runtime Interface Emulator, taken out of the wheel that brings it, with a Python function in it."""

from __future__ import annotations

import os
import platform
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handlers.remote.endpoints import EMULATOR_PATH
from pollers.emulators import InstallFailed
from pollers.emulators.cache import step
from pollers.emulators.recipes import Launch

if TYPE_CHECKING:
    from pathlib import Path

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class RuntimeInterfaceEmulator:
    """``aws-lambda-rie`` around ``app.handler`` of the folder ``code``, with a timeout of its own (whole seconds)."""

    code: Path
    timeout_seconds: int
    name: str = "aws-lambda-rie"
    version: str = "1.170.0"
    revision: str = "1"
    health_path: str = EMULATOR_PATH
    """It serves nothing else: a start is known by a first invocation, with no event."""
    start_seconds: float = 20

    def install(self, folder: Path) -> None:
        """Download ``aws-sam-cli``, of which ``version`` is, and keep its emulator for this machine."""
        machine = _MACHINES.get(platform.machine().lower())
        if machine is None or sys.platform != "linux":
            raise InstallFailed(f"{self.name} is not to be had for {sys.platform} on {platform.machine()}")
        wheel = f"aws-sam-cli=={self.version}"
        step([sys.executable, "-m", "pip", "download", "--no-deps", "--dest", ".", wheel], folder=folder)
        found = next(folder.glob("aws_sam_cli-*.whl"))
        with zipfile.ZipFile(found) as archive:
            program = folder / self.name
            program.write_bytes(archive.read(f"samcli/local/rapid/aws-lambda-rie-{machine}"))
        program.chmod(0o755)
        found.unlink()

    def launch(self, folder: Path, port: int, spare_port: int, state: Path) -> Launch:
        """The emulator, which runs AWS's Python runtime client in the environment of the tests."""
        addresses = [
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{spare_port}"),
        ]
        runtime = [sys.executable, "-m", "awslambdaric", "app.handler"]
        environment = {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_seconds), "PATH": os.environ["PATH"]}
        return Launch((str(folder / self.name), *addresses, *runtime), self.code, environment)
