"""The routes of the HTTP server."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from anyio import to_thread

from pollers.listening import Connections
from pollers.server.control import Control, UnknownMapping
from pollers.server.guard import BODY_LIMIT_BYTES, Access, guard, problem
from pollers.server.openapi import document
from pollers.server.serve import CONNECTIONS, CONNECTIONS_AT_MOST
from pollers.server.stream import EventStream
from pollers.server.turns import in_turns
from pollers.telemetry.conclusions import conclusions
from pollers.telemetry.metrics import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pollers.status.health import Problem
    from pollers.status.snapshot import Status
    from pollers.telemetry.metrics import Metrics
    from pollers.telemetry.recorder import Moment, Recorder

IDENTIFIER_LIMIT = 256
PAGE = "console.html"
ASSETS = ("console.css", "console.js", "cards.js", "charts.js", "events.js", "lineage.js", "format.js")
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes show and do."""

    status: Status
    control: Control
    metrics: Metrics
    recorder: Recorder


class Routes:
    """One method a route; :func:`pollers.server.openapi.document` describes the same."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        folder = resources.files("pollers.server").joinpath("assets")
        self._assets = {name: folder.joinpath(name).read_bytes() for name in (PAGE, *ASSETS)}
        self.stream = EventStream(parts.status.history, self.snapshot)

    def table(self) -> list[web.RouteDef]:
        """Every route."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.get("/api/status", self.status),
            web.get("/api/scaling", self.scaling),
            web.get("/api/events", self.stream.serve, allow_head=False),
            web.get("/api/explain/{identifier}", self.explain),
            web.post("/api/mappings/{name}/pause", self.pause),
            web.post("/api/mappings/{name}/resume", self.resume),
            web.post("/api/drain", self.drain),
            web.post("/api/reload", self.reload),
            web.get("/openapi.json", self.openapi),
            web.get("/", self.page),
            web.get("/assets/{name}", self.asset),
        ]

    async def healthz(self, request: web.Request) -> web.Response:
        """Whether the process is live."""
        return _health(self._parts.status.problems())

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether every mapping polls."""
        return _health(self._parts.status.unready())

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus text format."""
        families = await in_turns(self._parts.metrics.registry.collect())
        text, content_type = await to_thread.run_sync(encoded, families, request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def status(self, request: web.Request) -> web.Response:
        """The snapshot."""
        return _json(await self.snapshot(series="series" in request.query))

    async def scaling(self, request: web.Request) -> web.Response:
        """The numbers for an autoscaler."""
        sizings = dict(await in_turns(self._parts.status.sizings()))
        total = self._parts.status.overall(sizings.values())
        return _json({**total.as_dict(), "mappings": {name: one.as_dict() for name, one in sizings.items()}})

    async def snapshot(self, *, series: bool = False) -> dict[str, Any]:
        """``Status.snapshot``, in turns."""
        mappings = await in_turns(self._parts.status.mappings(series=series))
        schedules = await in_turns(self._parts.status.schedules())
        return {**self._parts.status.summary(), "schedules": schedules, "mappings": mappings}

    async def explain(self, request: web.Request) -> web.Response:
        """What happened to one event."""
        identifier = request.match_info["identifier"]
        if len(identifier) > IDENTIFIER_LIMIT:
            return problem(400, f"an id has at most {IDENTIFIER_LIMIT} characters")
        recorder = self._parts.recorder
        moments: list[Moment] = []
        for found in recorder.searching(identifier):
            moments += found
            await asyncio.sleep(0)
        return _json(
            {
                "id": identifier,
                "kept_since": recorder.since,
                "moments": [moment.as_dict() for moment in moments],
                "conclusions": list(conclusions(moments, time.time())),
            }
        )

    async def pause(self, request: web.Request) -> web.Response:
        """Stop polling for one mapping."""
        return self._change(request, self._parts.control.pause)

    async def resume(self, request: web.Request) -> web.Response:
        """Poll again."""
        return self._change(request, self._parts.control.resume)

    def _change(self, request: web.Request, change: Callable[[str], object]) -> web.Response:
        try:
            return _json(change(request.match_info["name"]))
        except UnknownMapping as unknown:
            return problem(404, f"there is no mapping named {unknown.args[0]!r}")

    async def drain(self, request: web.Request) -> web.Response:
        """Stop polling for all; 202 while events are still held."""
        answer = {**self._parts.control.drain(), "held": self._parts.control.held()}
        return _json(answer, status=202)

    async def reload(self, request: web.Request) -> web.Response:
        """Apply the configuration on disk; 409 with every fault when it is refused."""
        applied = await self._parts.control.reload()
        return _json(applied, status=409 if applied["faults"] else 200)

    async def openapi(self, request: web.Request) -> web.Response:
        """What this server offers."""
        return _json(document())

    async def page(self, request: web.Request) -> web.Response:
        """The console."""
        return self._asset(PAGE)

    async def asset(self, request: web.Request) -> web.Response:
        """The console's style and scripts."""
        name = request.match_info["name"]
        return self._asset(name) if name in ASSETS else problem(404, "there is no such asset")

    def _asset(self, name: str) -> web.Response:
        kind = KINDS[name.rpartition(".")[2]]
        return web.Response(
            body=self._assets[name], content_type=kind, charset="utf-8", headers={"Cache-Control": "no-cache"}
        )


def _health(problems: Sequence[Problem]) -> web.Response:
    answer = {"status": "unhealthy" if problems else "ok", "problems": [asdict(problem) for problem in problems]}
    return _json(answer, status=503 if problems else 200)


def _json(answer: object, *, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(answer), status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


ROUTES = web.AppKey("routes", Routes)


def make_app(parts: Parts, access: Access) -> web.Application:
    """The application for those who have ``access``."""
    app = web.Application(middlewares=[guard(access)], client_max_size=BODY_LIMIT_BYTES)
    app[CONNECTIONS] = Connections(CONNECTIONS_AT_MOST)
    routes = app[ROUTES] = Routes(parts)
    app.add_routes(routes.table())

    async def close(_: web.Application) -> None:
        routes.stream.close()

    app.on_shutdown.append(close)
    return app
