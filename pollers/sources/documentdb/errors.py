"""What a server's or the driver's error means for the reader: the class says what to do next (:mod:`pollers.aws.errors`).

Codes and their meaning are MongoDB's, and DocumentDB's as far as they are known. A decider; it imports the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bson.errors import BSONError
from pymongo.errors import ConnectionFailure, InvalidOperation, OperationFailure, PyMongoError

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

_CODES: Final[dict[type[AwsError], tuple[int, ...]]] = {
    # A change stream is opened again where it was after these (the driver's list, up to 4.17; it goes by a label since), and after
    # a time that ran out (50, 202). 43 stands below.
    Unavailable: (
        *(6, 7, 50, 63, 89, 91, 133, 150, 189, 202, 234, 262),
        *(9001, 10107, 11600, 11602, 13388, 13435, 13436),
    ),
    IteratorExpired: (43,),
    AccessDenied: (11, 13, 18, 8000),
    # DocumentDB's word for a place that has left the log is 136, MongoDB's 286.
    Trimmed: (136, 280, 286),
    NotFound: (26,),
    Throttled: (462, 16500),
}
_CLASS_OF_CODE: Final = {code: kind for kind, codes in _CODES.items() for code in codes}

AUTHENTICATION_FAILED: Final = frozenset({"11", "18", "8000"})
"""The user is not known, or the password is not right (any more). 8000 is Atlas's."""

_ADVICE: Final = {
    10334: "a change event is larger than 16 MB, which no reply can hold; full_document: Default makes updates smaller",
    40573: "change streams need a replica set, also one of a single server (mongod --replSet)",
}


def failure(error: Exception, operation: str) -> AwsError:
    """The error for what a call of the driver raised; raises it again where it is no error of the driver.

    A server that cannot be reached is Unavailable without any advice: that needs to know who was called
    (:mod:`pollers.sources.documentdb.unreachable`).
    """
    name = type(error).__name__
    if isinstance(error, AwsError):
        return error
    if isinstance(error, OperationFailure):
        return _of_code(error.code, _words(error.details) or str(error), operation)
    if isinstance(error, ConnectionFailure):
        # NotPrimaryError is one of these: it has the server's code in its details alone.
        told = getattr(error, "details", None)
        details = told if isinstance(told, Mapping) else {}
        code = details.get("code")
        words = (
            _words(details) or str(error).partition(" (configured timeouts")[0]
        )  # the driver adds settings of its own
        return Unavailable(name if code is None else str(code), words, operation=operation)
    if isinstance(error, BSONError):
        return Unavailable(INVALID_REPLY, f"the reply is no BSON: {error}", operation=operation)
    if isinstance(error, InvalidOperation | OSError):
        # A client that was closed under the call, because another one has taken its place.
        return Unavailable(name, str(error), operation=operation)
    if isinstance(error, PyMongoError):
        return Refused(name, str(error), operation=operation)
    raise error


def _of_code(code: int | None, words: str, operation: str) -> AwsError:
    kind = _CLASS_OF_CODE.get(code, Refused) if code is not None else Refused
    advice = _ADVICE.get(code) if code is not None else None
    return kind(str(code), f"{words}; {advice}" if advice else words, operation=operation)


def _words(details: Mapping[str, Any] | None) -> str:
    """The server's own words, without the whole reply, which the driver's text has."""
    words = (details or {}).get("errmsg")
    return words if isinstance(words, str) else ""
