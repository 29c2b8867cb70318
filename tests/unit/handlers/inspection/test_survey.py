"""Imports followed through a function's code."""

from __future__ import annotations

import os
import sys
import textwrap
import zipfile
from typing import TYPE_CHECKING

import pytest

from handlers.inspection.modules import Unreadable
from handlers.inspection.survey import Survey, survey

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, **files: str) -> None:
    """Write modules; ``a__b`` is ``a/b.py``."""
    for name, text in files.items():
        file = folder / (name.replace("__", "/", 1) + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))


def surveyed(code: Path, module: str = "app") -> Survey:
    """What is found from ``app`` on."""
    return survey(module, str(code), sys.stdlib_module_names)


def test_own_modules_are_followed_and_others_named(tmp_path: Path) -> None:
    """Each once, with the place of its first import; the standard library is there."""
    write(
        tmp_path,
        app="import json, models.orders\nfrom tools import clean\n",
        models__init="",
        models__orders="from .prices import Price\nimport boto3\n",
        models__prices="from . import orders\nimport boto3, pandas.core\n",
        tools__clean="def f():\n    import requests\n",
    )
    (tmp_path / "models" / "init.py").rename(tmp_path / "models" / "__init__.py")
    found = surveyed(tmp_path)
    assert found.remarks == []
    assert {name: str(place).removeprefix(f"{tmp_path}/") for name, place in found.elsewhere.items()} == {
        "boto3": "models/orders.py:2",
        "pandas": "models/prices.py:2",
        "requests": "tools/clean.py:2 (inside a function)",
    }


def test_nothing_is_run(tmp_path: Path) -> None:
    """Neither the handler nor a package around it."""
    write(tmp_path, app="import side.effect\nraise SystemExit('run')\n", side__effect="raise SystemExit('run')\n")
    before = set(sys.modules)
    surveyed(tmp_path)
    assert {"app", "side"} & (set(sys.modules) - before) == set()
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_module_that_its_own_package_does_not_have_is_said(tmp_path: Path) -> None:
    """With the line of the import; so is a relative import outside of any package."""
    write(tmp_path, app="import pkg.gone\nfrom . import x\n", pkg____init__="")
    assert surveyed(tmp_path).remarks == [
        f"{tmp_path}/app.py:1: no module pkg.gone in the code",
        f"{tmp_path}/app.py:2: the relative import leads out of the code: app is in no package",
    ]


@pytest.mark.parametrize(
    "init", ["__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n", "syntax error\n", None]
)
def test_a_package_that_may_go_on_elsewhere_is_not_judged(tmp_path: Path, init: str | None) -> None:
    """A changed ``__path__``, a namespace: whatever is missing may be found there."""
    write(tmp_path, app="import pkg.gone\n", pkg__there="")
    if init is not None:
        write(tmp_path, pkg____init__=init)
    assert not any("gone" in remark for remark in surveyed(tmp_path).remarks)


def test_what_pip_installed_into_the_code_is_not_followed(tmp_path: Path) -> None:
    """It has optional imports of its own, and may be thousands of files."""
    write(tmp_path, app="import big, single\n", big____init__="import never_there\n", single="import neither\n")
    (tmp_path / "big-1.dist-info").mkdir()
    (tmp_path / "big-1.dist-info" / "RECORD").write_text("big/__init__.py,,\nsingle.py,,\nbig-1.dist-info/RECORD,,\n")
    found = surveyed(tmp_path)
    assert (found.elsewhere, found.remarks) == ({}, [])


def test_a_zip_is_looked_into(tmp_path: Path) -> None:
    """As it is deployed to Lambda."""
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("app.py", "import pkg.a\ndef handler(e, c): ...\n")
        opened.writestr("pkg/__init__.py", "")
        opened.writestr("pkg/a.py", "import boto3\n")
    found = surveyed(archive)
    assert found.tree is not None
    assert str(found.elsewhere["boto3"]) == f"{archive}{os.sep}pkg{os.sep}a.py:1"


def test_a_handler_that_cannot_be_parsed_is_unreadable(tmp_path: Path) -> None:
    """With file and line; another module that cannot is a remark."""
    write(tmp_path, app="import other\n", other="def (:\n", broken="x = 1\ndef (:\n")
    with pytest.raises(Unreadable, match=r"broken\.py:2: invalid syntax"):
        surveyed(tmp_path, "broken")
    (remark,) = surveyed(tmp_path).remarks
    assert remark.startswith(f"{tmp_path}/other.py:1: ")


def test_circles_end(tmp_path: Path) -> None:
    """Two modules that import each other."""
    write(tmp_path, app="import b", b="import app")
    assert surveyed(tmp_path).elsewhere == {}
