"""Every form of source together: what they recognise, and what reading one costs the others."""

from __future__ import annotations

import codecs
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config.text.nodes import Unparsable
from tests.unit.importing.templates import imported, imported_from
from tests.unit.test_architecture import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXPORTED = '{"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Description": "für"}}}}\r\n'
HEAVY = ("aiohttp", "botocore", "prometheus_client", "sqlite3")


def test_knowing_all_forms_imports_nothing_heavy() -> None:
    """The SDK is for an account only."""
    code = f"import sys, pollers.importing.forms; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["state.json", "template.yaml"])
@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + EXPORTED.encode(),
        codecs.BOM_UTF16_LE + EXPORTED.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + EXPORTED.encode("utf-16-be"),
    ],
)
def test_a_file_says_itself_how_it_is_encoded(tmp_path: Path, data: bytes, name: str) -> None:
    """PowerShell's ``>`` writes UTF-16, with its mark."""
    (tmp_path / name).write_bytes(data)
    assert imported_from(tmp_path / name, tmp_path).text == imported(tmp_path, EXPORTED, name).text


@pytest.mark.parametrize("name", ["state.json", "template.yaml"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (EXPORTED.encode("utf-16-le"), "in another encoding, expected UTF-8 .in PowerShell: Get-Content"),
        (EXPORTED.encode("utf-32"), "in another encoding, expected UTF-8"),
        (codecs.BOM_UTF16_LE + b"{\0\x00\xd8{\0", "expected text in UTF-16, as its first two bytes say"),
    ],
)
def test_what_does_not_say_so_is_not_guessed_at(tmp_path: Path, data: bytes, message: str, name: str) -> None:
    """And what to do about it is said."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Unparsable, match=message):
        imported_from(tmp_path / name, tmp_path)
