"""``headrace schema``, as the user sees it."""

from __future__ import annotations

import json

from click.testing import CliRunner

from pollers.cli import main


def test_schema_prints_the_schema() -> None:
    """As JSON."""
    result = CliRunner().invoke(main, ["schema"], catch_exceptions=False)

    assert result.exit_code == 0
    assert json.loads(result.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
