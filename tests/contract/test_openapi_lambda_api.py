"""Lambda's API against its own OpenAPI document, asked by schemathesis for what it promises and for what it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from pollers.lambda_api.openapi import document
from tests.contract.schemathesis import schemathesis
from tests.unit.lambda_api.rig import rig
from tests.worlds.seeds import EFFORT

if TYPE_CHECKING:
    from pathlib import Path

LESS = ("--exclude-checks", "positive_data_acceptance,negative_data_rejection")
"""The document does not tell what is wrong together, such as two qualifiers that differ, and as Lambda the API lets much pass."""


@pytest.mark.timeout(300)
async def test_the_api_keeps_to_its_openapi_document_whatever_is_asked(tmp_path: Path) -> None:
    """No error of ours, every answer as documented, every wrong method refused, and it goes on serving."""
    async with rig() as at:
        described = document(at.service.front.routes.operations)
        # Half of the names are the function's own: others are only not found.
        for path in described["paths"].values():
            for operation in path.values():
                for parameter in operation["parameters"]:
                    if parameter["name"] == "FunctionName":
                        parameter["schema"] = {"anyOf": [{"enum": ["orders"]}, parameter["schema"]]}
        (tmp_path / "openapi.json").write_bytes(orjson.dumps(described))
        code, told = await schemathesis(
            tmp_path / "openapi.json", at.url, {}, *LESS, folder=tmp_path, examples=3 * EFFORT
        )
        assert code == 0, told
        assert at.service.server.bodies.held_bytes == 0
        assert (await at.invoke())[0] == 200
