"""The OpenAPI document of the HTTP server: what is offered, to whom, with which answers."""

from __future__ import annotations

from typing import Any

JSON = "application/json"


def document() -> dict[str, Any]:
    """OpenAPI 3.1, kept beside the routes; a test compares both."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headrace",
            "version": "1",
            "description": "Health, metrics, console and control of a running Headrace. Changes always need a bearer token. "
            "With runtime.http.token, which anything but loopback must have, so does every route but the probes and the page.",
        },
        "paths": _paths(),
        "components": {"schemas": _schemas(), "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _paths() -> dict[str, Any]:
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "A mapping's name",
        "schema": {"type": "string", "minLength": 1},
    }
    identifier = {
        "name": "identifier",
        "in": "path",
        "required": True,
        "description": "An SQS message id, a sequence number, or the request id of an asynchronous event",
        "schema": {"type": "string", "minLength": 1, "maxLength": 256},
    }
    health = {"200": _answer("Progress", "Health"), "503": _answer("No progress: which mapping, and why", "Health")}
    return {
        "/healthz": {"get": _operation("live", "Whether everything that should happen does", health, secured=False)},
        "/readyz": {"get": _operation("ready", "Whether every mapping polls", health, secured=False)},
        "/metrics": {"get": _operation("metrics", "Prometheus metrics", {"200": _text("The metrics", "text/plain")})},
        "/api/status": {
            "get": _operation("status", "What every mapping is doing", {"200": _answer("The snapshot", "Status")})
        },
        "/api/scaling": {
            "get": _operation(
                "scaling",
                "The numbers for an autoscaler, of this replica",
                {"200": _answer("Always numbers", "Scaling")},
            )
        },
        "/api/events": {
            "get": _operation(
                "events", "The snapshot, each second", {"200": _text("Server-sent events", "text/event-stream")}
            )
        },
        "/api/explain/{identifier}": {
            "get": _operation(
                "explain",
                "What happened to one event",
                {
                    "200": _answer("Its timeline, empty when nothing is known of it", "Explanation"),
                    "400": _error(),
                    "404": _error(),
                },
                [identifier],
            )
        },
        "/api/mappings/{name}/pause": {
            "post": _operation("pause", "Stop polling for a mapping", _changed(), [name], changes=True)
        },
        "/api/mappings/{name}/resume": {
            "post": _operation("resume", "Poll again for a mapping", _changed(), [name], changes=True)
        },
        "/api/drain": {
            "post": _operation(
                "drain", "Stop polling for all mappings", {"202": _answer("Begun", "Draining")}, changes=True
            )
        },
        "/api/reload": {
            "post": _operation(
                "reload",
                "Apply the configuration on disk",
                {
                    "200": _answer("Applied", "Reloaded"),
                    "409": _answer("Refused whole; the old one runs on", "Reloaded"),
                },
                changes=True,
            )
        },
        "/openapi.json": {
            "get": _operation("openapi", "This document", {"200": {"description": "It", "content": {JSON: {}}}})
        },
        "/": {"get": _operation("console", "The console", {"200": _text("The page", "text/html")}, secured=False)},
        "/assets/{name}": {
            "get": _operation(
                "asset",
                "The console's style and scripts",
                {"200": _text("The file", "text/css", "text/javascript"), "404": _error()},
                [{"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
                secured=False,
            )
        },
    }


def _operation(
    operation: str,
    summary: str,
    responses: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    *,
    secured: bool = True,
    changes: bool = False,
) -> dict[str, Any]:
    common = {"401": _error(), "403": _error()} if secured else {}
    told: dict[str, Any] = {
        "operationId": operation,
        "summary": summary,
        "responses": {**responses, **common, "421": _error(), "503": responses.get("503", _error())},
    }
    if parameters:
        told["parameters"] = parameters
    if not secured:
        told["security"] = []
    if changes:
        told["security"] = [{"token": []}]
    return told


def _changed() -> dict[str, Any]:
    return {"200": _answer("Done", "Change"), "404": _error()}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _error() -> dict[str, Any]:
    return _answer("Refused", "Error")


def _text(description: str, *kinds: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"type": "string"}} for kind in kinds}}


def _schemas() -> dict[str, Any]:
    text, number, flag = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
    names = {"type": "array", "items": text}
    return {
        "Error": _object(error=text),
        "Health": _object(
            status={"enum": ["ok", "unhealthy"]},
            problems={"type": "array", "items": _object(mapping={"type": ["string", "null"]}, reason=text)},
        ),
        "Status": _object(
            now=number,
            live=flag,
            ready=flag,
            stopping=flag,
            mappings={
                "type": "array",
                "items": _object(name=text, source=text, state=text, sentence=text, made_by_api=flag),
            },
            functions={
                "type": "array",
                "items": _object(
                    name=text,
                    runtime=text,
                    state=text,
                    concurrency={"type": "integer"},
                    asynchronous={"type": ["object", "null"]},
                    settings={"type": ["object", "null"]},
                ),
            },
            waiting_mappings={
                "type": "array",
                "items": _object(name=text, source=text, function=text, reason=text),
            },
            schedules={"type": "array", "items": _object(name=text, function=text, state=text, expression=text)},
            asynchronous={"type": ["object", "null"]},
        ),
        "Scaling": _object(
            **_SIZING, mappings={"type": "object", "additionalProperties": _object(**_SIZING), "propertyNames": text}
        ),
        "Explanation": _object(
            id=text,
            moments={"type": "array", "items": _object(at=number, mapping=text, what=text, detail=text)},
            conclusions=names,
        ),
        "Change": _object(mapping=text, paused=flag),
        "Draining": _object(draining=names, held={"type": "integer"}),
        "Reloaded": _object(added=names, removed=names, changed=names, functions=names, schedules=names, faults=names),
    }


_SIZING: dict[str, Any] = {
    "backlog_seconds": {
        "type": "number",
        "minimum": 0,
        "description": "How far behind, in seconds. Streams: the greatest iterator age of the shards that this replica reads. "
        "Queues: how long this replica alone would need for the messages that are ready",
    },
    "utilisation": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Running invocations, of those that are permitted; at the top: of the busiest function",
    },
    "open_shards": {
        "type": "integer",
        "minimum": 0,
        "description": "Shards that can be read now, whoever reads them; 0 for queues",
    },
    "owned_shards": {"type": "integer", "minimum": 0, "description": "Shards that this replica reads; 0 for queues"},
}


def _object(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    return {"type": "object", "required": list(members), "properties": members}
