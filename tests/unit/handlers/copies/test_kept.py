"""Copies that outlive whatever runs them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from handlers.copies import Copies
from handlers.errors import FunctionUnusable
from handlers.workers.code_folder import folder_of

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(path: Path, target: Path) -> Path:
    return folder_of(path, target, "code")


@pytest.mark.parametrize("zipped", [False, True])
def test_what_is_asked_for_again_is_what_was_copied(tmp_path: Path, zipped: bool) -> None:
    """Whatever has become of the folder, or of the archive. It is there until the last has left it."""
    code = tmp_path / ("code.zip" if zipped else "code")

    def save(text: str) -> None:
        if zipped:
            with zipfile.ZipFile(code, "w") as archive:
                archive.writestr("app.py", text)
        else:
            code.mkdir(exist_ok=True)
            (code / "app.py").write_text(text)

    copies = Copies()
    save("old")
    first = copies.of("orders", code, unpacked)
    save("new")
    assert copies.of("orders", code, unpacked) == first
    assert (first / "app.py").read_text() == "old"
    assert copies.names == ({} if zipped else {str(first): str(code)})
    assert copies.shared() is copies
    assert not copies.leave()
    assert copies.leave()
    copies.remove()
    assert not first.exists()


def test_what_could_not_be_had_is_asked_for_again(tmp_path: Path) -> None:
    """A folder that is not there yet."""
    copies, code = Copies(), tmp_path / "code"
    with pytest.raises(FunctionUnusable, match="is nothing"):
        copies.of("orders", code, unpacked)
    code.mkdir()
    (code / "app.py").write_text("")
    assert (copies.of("orders", code, unpacked) / "app.py").is_file()
    copies.remove()
