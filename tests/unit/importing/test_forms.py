"""Every form of source together: what they recognise, and what reading one costs the others."""

from __future__ import annotations

import subprocess
import sys

from tests.unit.test_architecture import ROOT

HEAVY = ("aiohttp", "botocore", "prometheus_client", "sqlite3")


def test_knowing_all_forms_imports_nothing_heavy() -> None:
    """The SDK is for an account only."""
    code = f"import sys, pollers.importing.forms; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
