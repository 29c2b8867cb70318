"""What the person on call types, against a running Headrace."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.test_utils import unused_port
from anyio import to_thread

from tests.e2e.harness import until_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Told:
    """What a command answered."""

    code: int
    out: str
    err: str


class Operator:
    """Runs ``headrace COMMAND --url ...`` and reads the status. ``http`` is the setting that makes Headrace listen there."""

    def __init__(self, token: str | None = None) -> None:
        port = unused_port()
        self.url = f"http://127.0.0.1:{port}"
        self.http: dict[str, Any] = {"port": port, **({"token": token} if token else {})}
        self.token = token

    async def run(self, *arguments: str, token: str | None = None, variables: dict[str, str] | None = None) -> Told:
        """Run one command to its end, with these environment variables besides."""
        environment = {**os.environ, "HEADRACE_URL": self.url, **(variables or {})}
        given = token or self.token
        if given is not None:
            environment["HEADRACE_TOKEN"] = given
        done = await to_thread.run_sync(
            lambda: subprocess.run(
                [sys.executable, "-m", "pollers", *arguments],
                capture_output=True,
                text=True,
                env=environment,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        )
        return Told(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def top(self, output: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """``headrace top`` while this lasts, writing to ``output``."""
        command = [sys.executable, "-m", "pollers", "top", "--every", "0.2", "--url", self.url]
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield process, output
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)

    async def status(self) -> dict[str, Any]:
        """The snapshot, mappings by name; empty while nobody answers."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            async with aiohttp.ClientSession(self.url, headers=headers) as session, session.get("/api/status") as reply:
                snapshot: dict[str, Any] = await reply.json()
        except aiohttp.ClientConnectionError:
            return {}
        return {mapping["name"]: mapping for mapping in snapshot["mappings"]}

    async def until(self, condition: Callable[[dict[str, Any]], bool], *, what: str = "the status") -> dict[str, Any]:
        """Wait until the mappings are so; what they are then."""
        seen: dict[str, Any] = {}

        async def so() -> bool:
            seen.clear()
            seen.update(await self.status())
            return bool(seen) and condition(seen)

        await until_true(so, within=PATIENCE_SECONDS, what=what)
        return seen

    async def up(self) -> None:
        """Wait until every mapping polls."""
        await self.until(lambda mappings: all(m["state"] in ("running", "disabled") for m in mappings.values()))
