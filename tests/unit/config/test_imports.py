"""Importing the configuration is cheap."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["config", "config.schema"])
def test_importing_config_does_not_import_the_aws_sdk(module: str) -> None:
    """Nor anything else that takes its time."""
    code = (
        f"import {module}, sys; print([m for m in ('aiobotocore', 'botocore', 'aiohttp', 'anyio', 'pollers') if m in "
        "sys.modules])"
    )

    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": ""},
        timeout=60,
    )

    assert found.stdout.strip() == "[]"
