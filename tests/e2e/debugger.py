"""As much of an editor as sets a breakpoint: a client of the Debug Adapter Protocol. Blocking; for a thread."""

from __future__ import annotations

import json
import socket
from typing import Any

PATIENCE_SECONDS = 120.0


class Debugger:
    """Attached to a debugpy that listens on a port of this machine. Close it after use."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._read = self._socket.makefile("rb")
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def attach(self, file: str, line: int) -> None:
        """Attach, with one breakpoint."""
        self._answer(self._ask("initialize", adapterID="test", pathFormat="path"))
        # It is answered after everything is configured.
        attached = self._ask("attach", justMyCode=False)
        self._event("initialized")
        point = self._answer(self._ask("setBreakpoints", source={"path": file}, breakpoints=[{"line": line}]))
        assert point["breakpoints"][0]["verified"], point
        self._answer(self._ask("configurationDone"))
        self._answer(attached)

    def stopped(self) -> int:
        """The thread that has come to the breakpoint."""
        body = self._event("stopped")["body"]
        assert body["reason"] == "breakpoint"
        return int(body["threadId"])

    def variable(self, thread: int, expression: str) -> str:
        """What an expression is where a thread stands."""
        frames = self._answer(self._ask("stackTrace", threadId=thread))["stackFrames"]
        found = self._answer(self._ask("evaluate", expression=expression, frameId=frames[0]["id"], context="watch"))
        return str(found["result"])

    def go_on(self, thread: int) -> None:
        """Leave the breakpoint."""
        self._answer(self._ask("continue", threadId=thread))

    def close(self) -> None:
        """Leave the program to itself."""
        self._answer(self._ask("disconnect", terminateDebuggee=False))
        self._read.close()
        self._socket.close()

    def _ask(self, command: str, **arguments: object) -> int:
        self._number += 1
        text = json.dumps({"seq": self._number, "type": "request", "command": command, "arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        return self._number

    def _answer(self, number: int) -> dict[str, Any]:
        while True:
            message = self._next()
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                body: dict[str, Any] = message.get("body") or {}
                return body
            self._events.append(message)

    def _event(self, name: str) -> dict[str, Any]:
        while True:
            for place, message in enumerate(self._events):
                if message["type"] == "event" and message["event"] == name:
                    return self._events.pop(place)
            self._events.append(self._next())

    def _next(self) -> dict[str, Any]:
        length = 0
        while (line := self._read.readline().strip()) or not length:
            assert line, "the debugger's connection was closed"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self._read.read(length))
        return message
