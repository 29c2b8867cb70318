"""The server against its own OpenAPI document, asked by schemathesis for what it promises and for what it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.schemathesis import schemathesis
from tests.unit.server.rig import MADE, rig

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a-token-of-some-length"


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
