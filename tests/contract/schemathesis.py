"""Schemathesis as a program: it asks a server for what its OpenAPI document promises, and for what it does not."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from tests.worlds.seeds import EFFORT

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 240


async def schemathesis(
    document: Path, url: str, headers: dict[str, str], *options: str, folder: Path, examples: int = 6 * EFFORT
) -> tuple[int, str]:
    """Run it; its exit code and what it printed. The event stream, which never ends, has tests of its own."""
    settings = folder / "schemathesis.toml"
    settings.write_text('[checks]\nnot_a_server_error.expected-statuses = ["2xx", "4xx", "503"]\n')
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(settings),
            "run",
            str(document),
            "--url",
            url,
            "--exclude-path",
            "/api/events",
        ),
        *(
            "--max-examples",
            str(examples),
            *options,
            "--phases",
            "examples,coverage,fuzzing",
            "--seed",
            "1",
            "--no-color",
        ),
        *("--request-timeout", "60", "--no-shrink", "--generation-database", "none"),
        *(argument for name, value in headers.items() for argument in ("-H", f"{name}:{value}")),
        cwd=folder,
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, told.decode(errors="replace")
