"""A headless Chromium, driven over the DevTools protocol: pages, keys, screenshots, and everything that it complains of."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "about:blank",
)
WITHIN = 60.0


def found() -> str:
    """Where Chromium is: on the PATH, or installed now where that can be done; the test is skipped where it cannot."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("the console's tests need Chromium on the PATH (apt-get install chromium needs root)")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
        done = subprocess.run(command, capture_output=True, timeout=600, check=False, env=_unattended())
    path = shutil.which("chromium")
    if path is None:
        pytest.skip(f"Chromium cannot be installed: {done.stderr.decode(errors='replace')[-500:]}")
    return path


def _unattended() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


@dataclass
class Page:
    """One page. ``complaints`` are its errors, uncaught exceptions, refused loads and violations of its security policy."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    _next: int = 0
    _answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def read(self) -> None:
        """Take what the browser says, until cancelled."""
        async for message in self.socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers[told["id"]] = told
                self._news.set()
                self._news = anyio.Event()
            else:
                self._hear(told["method"], told["params"])

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"].get("exception", params["exceptionDetails"])))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - the protocol's own
        """One command of the protocol."""
        self._next += 1
        number = self._next
        await self.socket.send_json({"id": number, "method": method, "params": params})
        with anyio.fail_after(WITHIN):
            while number not in self._answers:
                await self._news.wait()
        told = self._answers.pop(number)
        assert "error" not in told, f"{method}: {told['error']}"
        result: dict[str, Any] = told["result"]
        return result

    async def open(self, url: str) -> None:
        """Go there."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def size(self, width: int, height: int, *, scale: float = 1, mobile: bool = False) -> None:
        """The window's size, in CSS pixels."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    async def scheme(self, name: str) -> None:
        """What the system prefers: ``dark`` or ``light``."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def value(self, expression: str) -> Any:  # noqa: ANN401 - JavaScript's
        """What an expression is now."""
        told = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until it is true."""
        with anyio.move_on_after(WITHIN):
            while not await self.value(expression):
                await anyio.sleep(0.05)
            return
        text = await self.value("document.body.innerText")
        raise AssertionError(f"{expression} did not come true; the page says:\n{text}")

    async def press(self, key: str) -> None:
        """A key, as a person presses it."""
        text, code = {"Enter": ("\r", 13), "Escape": ("", 27)}.get(key, (key, 0))
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def type(self, text: str) -> None:
        """Text into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def screenshot(self, *, whole: bool = False) -> bytes:
        """The page as PNG; the whole of it or what the window shows."""
        told = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(told["data"])


@contextmanager
def browser(folder: Path) -> Iterator[Path]:
    """A new browser with a profile in ``folder``; the file in which it says where it listens. Ended at the end."""
    profile = folder / "chromium"
    profile.mkdir(parents=True)
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [found(), *FLAGS, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        yield profile / "DevToolsActivePort"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@asynccontextmanager
async def page(folder: Path) -> AsyncIterator[Page]:
    """A page of a new browser, whose profile is in ``folder``."""
    with browser(folder) as listens:
        async with aiohttp.ClientSession() as session:
            url = await _page_url(session, anyio.Path(listens))
            async with session.ws_connect(url, max_msg_size=0) as socket, anyio.create_task_group() as group:
                made = Page(socket)
                group.start_soon(made.read)
                for domain in ("Page", "Runtime", "Log"):
                    await made.call(f"{domain}.enable")
                yield made
                group.cancel_scope.cancel()


async def _page_url(session: aiohttp.ClientSession, told: anyio.Path) -> str:
    """Where the browser's one page listens."""
    with anyio.fail_after(WITHIN):
        while not await told.exists() or not (await told.read_text()).strip():
            await anyio.sleep(0.05)
        port = (await told.read_text()).split()[0]
        while True:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
                pages = [target for target in await reply.json() if target["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            await anyio.sleep(0.05)
