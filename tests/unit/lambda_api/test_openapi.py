"""The OpenAPI document of Lambda's API, which ``tests/contract`` holds the server to."""

from __future__ import annotations

from pollers.lambda_api.openapi import document
from pollers.lambda_api.routes import Routes
from tests.unit.lambda_api.rig import rig


async def test_the_document_is_made_of_what_is_routed() -> None:
    """Every operation is in it, and every path of it is found."""
    async with rig() as at:
        routes = at.service.front.routes
        described = document(routes.operations)
        found = {
            (routes.find(method.upper(), path)[0].name, operation["operationId"])
            for path, operations in described["paths"].items()
            for method, operation in operations.items()
        }
    assert found == {(operation.name, operation.name) for operation in routes.operations}
    assert isinstance(routes, Routes)
