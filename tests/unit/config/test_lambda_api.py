"""The section ``lambda_api``, and ``runtime.state``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder


def faults(folder: Folder, settings: str) -> list[str]:
    """The faults of a ``lambda_api`` with these settings, without file and line."""
    return [fault.split(": ", 1)[1] for fault in folder.faults(f"lambda_api: {{{settings}}}\n")]


def test_it_is_not_served_unless_it_is_given(folder: Folder) -> None:
    """An empty section is given; one without a value is not."""
    assert folder.load("functions: {}\n").config.lambda_api is None
    assert folder.load("lambda_api:\n").config.lambda_api is None
    served = folder.load("lambda_api: {}\n").config.lambda_api
    assert served is not None
    assert (served.host, served.port, served.account, served.queue_seconds) == ("127.0.0.1", 9001, "000000000000", 0)


def test_an_open_address_needs_credentials(folder: Folder) -> None:
    """Whoever reaches it could run functions."""
    (fault,) = faults(folder, "host: 0.0.0.0")
    assert fault.startswith("lambda_api.host: found host 0.0.0.0 without credentials, expected a list of")
    given = "host: 0.0.0.0, credentials: [{access_key_id: AKIA, secret_access_key: s3cret}]"
    assert folder.load(f"lambda_api: {{{given}}}\n").config.lambda_api is not None


def test_secrets_are_not_shown(folder: Folder) -> None:
    """Not in a fault, and not when the model is printed."""
    given = folder.load("lambda_api: {credentials: [{access_key_id: AKIA, secret_access_key: s3cret}]}\n").config
    assert "s3cret" not in repr(given)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("account: '12345678901x'", "lambda_api.account: found '12345678901x', expected an account of 12 digits"),
        (
            "trusted_proxies: [10.0.0.1/8]",
            "lambda_api.trusted_proxies[0]: found '10.0.0.1/8' (10.0.0.1/8 has host bits set), expected an address or a network "
            "such as 10.0.0.0/8",
        ),
        (
            "credentials: [{access_key_id: A, secret_access_key: x}, {access_key_id: A, secret_access_key: z}]",
            "lambda_api.credentials[1].access_key_id: found 'A' a second time, expected each access_key_id once",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Folder, settings: str, fault: str) -> None:
    """With the part that is wrong."""
    assert faults(folder, settings) == [fault]


def test_one_fault_of_the_section_does_not_hide_another(folder: Folder) -> None:
    """All are told at once."""
    found = faults(folder, "host: 0.0.0.0, account: '12345678901x', trusted_proxies: [nowhere]")
    assert [fault.split(":")[0] for fault in found] == [
        "lambda_api.account",
        "lambda_api.host",
        "lambda_api.trusted_proxies[0]",
    ]


def test_state_lies_where_checkpoints_lie(folder: Folder) -> None:
    """In CONFIG's folder unless it is given; then relative to the file that gives it."""
    assert folder.load("functions: {}\n").config.runtime.state_folder == folder.path / ".headrace"
    assert folder.load("runtime: {state: kept}\n").config.runtime.state_folder == folder.path / "kept"


def test_a_file_is_no_folder_for_state(folder: Folder) -> None:
    """Said when the configuration is read, not when the first event is to be kept."""
    folder.write("", "taken")
    (fault,) = folder.faults("runtime: {state: taken}\n")
    assert fault == "headrace.yaml:1: runtime.state: found 'taken', expected a folder, or a path where one can be made"
