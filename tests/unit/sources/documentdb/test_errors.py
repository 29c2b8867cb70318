"""What each error of a server or of the driver means for the reader."""

from __future__ import annotations

import pytest
from bson.errors import InvalidBSON
from pymongo import errors as driver

from pollers.aws.errors import (
    INVALID_REPLY,
    AccessDenied,
    AwsError,
    IteratorExpired,
    NotFound,
    Refused,
    Throttled,
    Trimmed,
    Unavailable,
)
from pollers.sources.documentdb.errors import failure

PASSING = [6, 7, 50, 63, 89, 91, 133, 150, 189, 202, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436]
CODES: list[tuple[int, type[AwsError]]] = [
    *((code, Unavailable) for code in PASSING),
    (43, IteratorExpired),
    *((code, AccessDenied) for code in (11, 13, 18, 8000)),
    *((code, Trimmed) for code in (136, 280, 286)),
    (26, NotFound),
    *((code, Throttled) for code in (462, 16500)),
    *((code, Refused) for code in (1, 2, 9, 237, 260, 303, 10334, 11601, 40324, 40415, 40573, 50738)),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_a_servers_code_decides(code: int, kind: type[AwsError]) -> None:
    """The code is kept as text, with the server's own words and without the whole reply."""
    details = {"ok": 0.0, "errmsg": "its words", "code": code, "secret": "rest"}
    failed = failure(driver.OperationFailure("its words", code, details), "getMore")
    assert type(failed) is kind
    assert (failed.code, failed.operation) == (str(code), "getMore")
    assert failed.message.startswith("its words")
    assert "secret" not in str(failed)


def test_a_lost_cursor_is_opened_again() -> None:
    """The driver has a class of its own for it."""
    details = {"errmsg": "cursor id 1 not found", "code": 43}
    assert isinstance(failure(driver.CursorNotFound("no", 43, details), "getMore"), IteratorExpired)


@pytest.mark.parametrize("code", [91, 189, 10107, 11600, 11602, 13435, 13436])
def test_a_server_that_is_no_primary_any_more_has_its_code_in_the_details(code: int) -> None:
    """That error of the driver has no code of its own."""
    failed = failure(driver.NotPrimaryError("no", {"errmsg": "not primary", "code": code}), "getMore")
    assert type(failed) is Unavailable
    assert (failed.code, failed.message) == (str(code), "not primary")


@pytest.mark.parametrize(
    "error",
    [
        driver.AutoReconnect("connection closed"),
        driver.AutoReconnect("connection closed", ["no mapping"]),
        driver.NetworkTimeout("timed out"),
        driver.NotPrimaryError("no"),
        driver.WaitQueueTimeoutError("no connection"),
        driver.ServerSelectionTimeoutError("nobody"),
        driver.InvalidOperation("Cannot use AsyncMongoClient after close"),
        ConnectionResetError("reset"),
    ],
)
def test_what_is_no_reply_passes(error: Exception) -> None:
    """Its code is the error's name."""
    failed = failure(error, "getMore")
    assert type(failed) is Unavailable
    assert failed.code == type(error).__name__


def test_a_reply_that_is_no_bson_is_no_answer() -> None:
    """It is asked for again (docs/design, decision 12)."""
    failed = failure(InvalidBSON("invalid length"), "getMore")
    assert (type(failed), failed.code) == (Unavailable, INVALID_REPLY)


def test_an_error_without_a_code_is_a_refusal() -> None:
    """So is whatever the driver will not do."""
    assert failure(driver.OperationFailure("no"), "getMore").code == "None"
    assert type(failure(driver.ConfigurationError("no"), "getMore")) is Refused


@pytest.mark.parametrize(("code", "word"), [(10334, "16 MB"), (40573, "replica set")])
def test_a_refusal_that_can_be_mended_says_how(code: int, word: str) -> None:
    """Beside the server's words."""
    assert word in failure(driver.OperationFailure("no", code, {"errmsg": "no"}), "getMore").message


def test_an_error_of_ours_is_not_hidden() -> None:
    """It is raised as it is; one of the family comes back as it is."""
    with pytest.raises(ZeroDivisionError):
        failure(ZeroDivisionError(), "getMore")
    known = Trimmed("286")
    assert failure(known, "getMore") is known


def test_settings_that_the_driver_adds_to_its_words_are_left_out() -> None:
    """Nobody has given them."""
    said = failure(
        driver.AutoReconnect("h:1: connection closed (configured timeouts: socketTimeoutMS: 30000.0ms)"), "getMore"
    )
    assert str(said) == "getMore: AutoReconnect: h:1: connection closed"
