"""The OpenAPI document of Lambda's API, made of the declarations that requests are routed by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pollers.lambda_api.names import NAME_PATTERN, QUALIFIER_PATTERN
from pollers.lambda_api.operations import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.lambda_api.operations import Operation

ERRORS = {
    "400": "The request is wrong",
    "403": "Whoever asks may not",
    "404": "There is no such thing",
    "408": "The body did not arrive in time",
    "409": "Something that is there is in the way",
    "412": "It was changed by somebody else",
    "413": "The body is too large",
    "429": "Too much at once; to be tried again",
    "500": "A fault of Headrace, or nobody knows what happened",
    "502": "The function cannot be had",
}
"""What every operation may answer in place of its reply."""
ERROR = {
    "type": "object",
    "properties": {
        "Type": {"enum": ["User", "Service"]},
        "Message": {"type": "string"},
        "message": {"type": "string"},
        "Reason": {"type": "string"},
    },
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "FunctionName": {"type": "string", "pattern": f"^({NAME_PATTERN})$"},
    "Qualifier": {"type": "string", "pattern": f"^({QUALIFIER_PATTERN})$", "maxLength": 128},
    "MaxItems": {"type": "integer", "minimum": 1},
}
"""Of parameters that are more than any text."""


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lambda's API, as Headrace serves it",
            "version": "2015-03-31",
            "description": "For SDKs, the AWS CLI and Terraform. With lambda_api.credentials every request has to be signed.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}},
    }


def _described(operation: Operation) -> dict[str, Any]:
    answers = {str(status): _success(operation, status) for status in operation.success}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "parameters": [
            *(_parameter(name, "path") for name in re.findall(r"{(\w+)}", operation.path)),
            *(_parameter(name, "query") for name in operation.query),
            *(_parameter(name, "header") for name in operation.headers),
        ],
        "responses": {**answers, **{status: _error(meaning) for status, meaning in ERRORS.items()}},
    }
    if operation.body is not None:
        described["requestBody"] = {"content": {JSON: {"schema": operation.body}}}
    return described


def _parameter(name: str, place: str) -> dict[str, Any]:
    schema = SCHEMAS.get(name, {"type": "string"})
    if place == "path":
        schema = {"minLength": 1, **schema}
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _success(operation: Operation, status: int) -> dict[str, Any]:
    if status in (202, 204):
        return {"description": "Done, without a body"}
    return {"description": "The reply", "content": {operation.content_type: {}}}


def _error(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
