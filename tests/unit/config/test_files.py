"""Files that cannot be read are faults, each with its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config import ConfigError, load

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


@pytest.mark.parametrize("data", [b"aws:\n  region: \xff\n", "aws: {}".encode("utf-16")])
def test_what_is_not_utf8_is_one_fault(folder: Folder, data: bytes) -> None:
    """With the line of the first byte that is not."""
    file = folder.path / "headrace.yaml"
    file.write_bytes(data)

    with pytest.raises(ConfigError) as raised:
        load(file, environ={})

    (fault,) = raised.value.faults
    assert fault.message == "found the byte 0xff, expected text in UTF-8"
    assert fault.line == (2 if data.startswith(b"aws") else 1)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(folder: Folder) -> None:
    """Editors on Windows write them."""
    file = folder.path / "headrace.yaml"
    file.write_bytes("\ufeffaws:\r\n  region: us-east-1\r\n  nonsense: 1\r\n".encode())

    with pytest.raises(ConfigError) as raised:
        load(file, environ={})

    assert [fault.line for fault in raised.value.faults] == [3]


def test_a_missing_file_is_one_fault(folder: Folder) -> None:
    """It names the path."""
    with pytest.raises(ConfigError) as raised:
        load(folder.path / "nowhere.yaml", environ={})

    assert str(raised.value) == (
        f"{folder.path}/nowhere.yaml:1: found a file that cannot be read (No such file or directory), expected a readable file"
    )


def test_an_unreadable_file_is_one_fault(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is named."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match="Permission denied"):
        load(folder.path / "headrace.yaml", environ={})


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_an_impossible_path_is_one_fault(path: str) -> None:
    """Never a traceback."""
    with pytest.raises(ConfigError) as raised:
        load(path, environ={})

    assert len(raised.value.faults) == 1
