"""``runtime: python``: what is refused before anything is started."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


def test_code_may_be_a_zip_file(folder: Folder) -> None:
    """For python; anything else must be a folder."""
    with zipfile.ZipFile(folder.path / "code.zip", "w") as archive:
        archive.writestr("app.py", "")
    (folder.path / "code.txt").write_text("x")

    assert folder.function("code: code.zip, handler: app.handler")
    assert "is neither a folder nor a .zip file" in folder.function_faults("code: code.txt, handler: app.handler")[0]
    assert "is no folder" in folder.function_faults("runtime: in_process, code: code.zip, handler: app.handler")[0]


@pytest.mark.parametrize(
    "handler", ["app.handler", "pkg.app.handler", "pkg/sub/app.handler", "my-app.handler", "app.ünïcode"]
)
def test_handlers_have_lambdas_form(folder: Folder, handler: str) -> None:
    """A module, possibly in packages, and a function."""
    assert folder.function(f"code: ., handler: {handler}")


@pytest.mark.parametrize(
    "handler",
    ["app", ".handler", "app.", "a b.handler", "app..handler", "app.1x", "'app:handler'", "''", "app.handler()"],
)
def test_other_handlers_are_refused(folder: Folder, handler: str) -> None:
    """For python and in_process."""
    for runtime in ("python", "in_process"):
        (fault,) = folder.function_faults(f"runtime: {runtime}, code: ., handler: {handler}")
        assert fault.startswith("handler: found ")
        assert fault.endswith("expected module.function, such as app.handler")


REFUSED = [
    ("handler: app.handler", "code is missing, expected the path of a folder or a .zip file"),
    ("code: .", "handler is missing, expected text"),
    ("code: nowhere, handler: app.handler", "code: found 'nowhere', which does not exist ("),
    ("code: '', handler: app.handler", "code: found '', expected the path of a folder or a .zip file"),
    ('code: "a\\0b", handler: app.handler', "code: found 'a\\u0000b', expected the path of"),
    ("code: ., handler: app.handler, interpreter: app.py", "interpreter: found 'app.py', which is not executable ("),
    ("code: ., handler: app.handler, layers: [., nowhere]", "layers[1]: found 'nowhere', which does not exist ("),
    ("code: ., handler: app.handler, timeout: 0", "timeout: found 0, expected a number above 0 and at most 43200"),
    ("code: ., handler: app.handler, timeout: .nan", "timeout: found .nan, expected a number above 0"),
    ("code: ., handler: app.handler, concurrency: 0", "concurrency: found 0, expected an integer from 1 to 10000"),
]


@pytest.mark.parametrize(("settings", "fault"), REFUSED)
def test_what_no_python_function_can_be_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """One fault for one mistake."""
    (found,) = folder.function_faults(settings)

    assert found.startswith(fault)
