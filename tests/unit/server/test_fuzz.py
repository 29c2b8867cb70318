"""The server against its own OpenAPI document, asked by schemathesis for what it promises and for what it does not."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.server.rig import MADE, rig

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a-token-of-some-length"
SECONDS = 240


@pytest.mark.parametrize("token", [None, TOKEN], ids=["loopback", "token"])
async def test_the_server_keeps_to_its_openapi_document_whatever_is_asked(tmp_path: Path, token: str | None) -> None:
    """Only documented 5xx answers, every answer as documented, every wrong method refused, and the server goes on serving."""
    async with rig(tmp_path, token=token) as at:
        headers = {"Authorization": f"Bearer {token or MADE}"}
        document = tmp_path / "openapi.json"
        document.write_bytes(await (await at.session.get("/openapi.json", headers=headers)).read())
        code, told = await schemathesis(document, at.url, headers, folder=tmp_path)
        assert code == 0, told
        assert (await at.session.get("/healthz")).status in (200, 503)
        assert (await at.session.get("/api/status", headers=headers)).status == 200


async def schemathesis(
    document: Path, url: str, headers: dict[str, str], *options: str, folder: Path, examples: int = 15
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
