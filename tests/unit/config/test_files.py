"""Files that cannot be read are faults, each with its file."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config import ConfigError, load

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"aws:\n  region: \xff\n", 2, "found the byte 0xff, expected text in UTF-8"),
        (
            codecs.BOM_UTF16_LE + "aws:".encode("utf-16-le") + b"\n",
            1,
            "found the byte 0x0a, expected text in UTF-16, as ",
        ),
        ("aws: {}".encode("utf-16-le"), 1, "found text in another encoding, expected UTF-8 (in PowerShell: "),
        ("aws: {}".encode("utf-32"), 1, "found text in another encoding, expected UTF-8 (in PowerShell: "),
    ],
)
def test_what_is_in_no_encoding_that_is_known_is_one_fault(
    folder: Folder, data: bytes, line: int, message: str
) -> None:
    """With the line of the first byte that is wrong."""
    file = folder.path / "headrace.yaml"
    file.write_bytes(data)

    with pytest.raises(ConfigError) as raised:
        load(file, environ={})

    (fault,) = raised.value.faults
    assert fault.message.startswith(message)
    assert fault.line == line


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize("mark", [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")])
def test_utf_16_with_its_mark_is_read(folder: Folder, suffix: str, mark: tuple[bytes, str]) -> None:
    """PowerShell's ``>`` writes it, after `headrace import` or `aws`, say."""
    file = folder.path / f"headrace.{suffix}"
    file.write_bytes(mark[0] + '{"aws": {"region": "eu-west-1"},\r\n "x-\u00e4": 1}\r\n'.encode(mark[1]))

    assert load(file, environ={}).config.aws.region == "eu-west-1"


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
