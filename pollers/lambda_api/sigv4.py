"""Signature Version 4, as the service of AWS checks it (docs/lambda 11.9). A decider: the time is an argument.

The canonical request is built from what came over the wire. Where clients differ in how they write it, each way counts that means
exactly this request: a signature over another request matches none of them.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from pollers.lambda_api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
TOLERANCE_SECONDS = 5 * 60
"""How far the clocks of client and server may be apart."""
EXPIRES_LIMIT_SECONDS = 7 * 24 * 3600
"""The longest life of a presigned URL."""
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
    "method. Consult the service documentation for details."
)
HEADERS_TO_BE_SIGNED = frozenset(
    {
        "x-amz-client-context",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-invocation-type",
        "x-amz-log-type",
        "x-amz-security-token",
    }
)
"""Headers that change what a request does. Others that begin with ``x-amz-`` may come from a proxy, such as ``x-amz-cf-id``."""

_MOMENT = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_HASH = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9]{1,7}")
_UNRESERVED = "-_.~"


@dataclass(frozen=True, slots=True)
class Head:
    """What of a request is signed beside its body: as it came, percent-encoded, names of headers in small letters."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for found, value in self.headers if found == name]

    def first(self, name: str) -> str | None:
        """A header's first value."""
        return next(iter(self.values(name)), None)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it is given, and not checked yet.

    ``moment`` is when it was made, as ISO 8601's basic form; ``expires_seconds`` how long it holds, for presigned requests.
    ``query``: the pairs of the query that are signed.
    """

    access_key_id: str
    scope: tuple[str, str, str, str]
    signed_headers: tuple[str, ...]
    value: str
    moment: str
    query: tuple[tuple[str, str], ...]
    expires_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a valid signature is made with."""

    secret: str
    region: str
    service: str = "lambda"


def is_signed(head: Head) -> bool:
    """Whether the request brings a signature, or tries to."""
    return head.first("authorization") is not None or "X-Amz-Signature=" in head.query


def read(head: Head) -> Signature:
    """The signature of a request, in its header or its query. Raises ApiError, 403."""
    pairs = tuple(_pairs(head.query))
    authorizations = head.values("authorization")
    if not authorizations:
        given = {_decoded(name): _decoded(value) for name, value in pairs}
        if "X-Amz-Signature" in given or "X-Amz-Algorithm" in given:
            return _from_query(given, pairs)
        raise ApiError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    if len(authorizations) > 1:
        raise _incomplete("Authorization header may be given once.")
    return _from_header(authorizations[0], head, pairs)


def check_head(signature: Signature, head: Head, expected: Expected, now: float) -> None:
    """Everything but the signature itself: scope, time, and what must be signed. Raises ApiError, 403."""
    _check_scope(signature, expected)
    _check_time(signature, now)
    for name in ("host", *(name for name in HEADERS_TO_BE_SIGNED if head.first(name) is not None)):
        if name not in signature.signed_headers:
            raise _invalid(f"'{name.title()}' must be a 'SignedHeader' in the AWS Authorization.")
    for name in signature.signed_headers:
        if head.first(name) is None:
            raise _invalid(MISMATCH)


def check(signature: Signature, head: Head, body: bytes, expected: Expected) -> None:
    """The signature itself, in a time that says nothing of how much of it is right. Raises ApiError, 403."""
    given_hash = head.first("x-amz-content-sha256")
    actual_hash = sha256(body).hexdigest()
    if given_hash is not None and given_hash != actual_hash:
        # UNSIGNED-PAYLOAD and signed streams are S3's: Lambda refuses both (docs/lambda 11.9).
        wrong = (
            "does not match the body's"
            if _HASH.fullmatch(given_hash)
            else "is no SHA-256: Lambda needs a signed payload"
        )
        raise _invalid(f"The value of x-amz-content-sha256 {wrong}.")
    key = _signing_key(expected.secret, signature.scope[0], expected.region, expected.service)
    right = False
    for canonical in _canonical_requests(signature, head, actual_hash):
        to_sign = "\n".join((ALGORITHM, signature.moment, "/".join(signature.scope), _hash(canonical)))
        right |= hmac.compare_digest(_mac(key, to_sign).hex(), signature.value)
    if not right:
        raise _invalid(MISMATCH)


def _from_header(authorization: str, head: Head, pairs: tuple[tuple[str, str], ...]) -> Signature:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported authorization type or algorithm: {algorithm[:50]!r}, expected {ALGORITHM}.")
    given = {name: value for name, _, value in (part.strip().partition("=") for part in rest.split(","))}
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not given.get(name)]
    moment = _moment(head)
    told = [f"Authorization header requires '{name}' parameter." for name in missing]
    if moment is None:
        told.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if told or moment is None:
        raise _incomplete(" ".join(told))
    access_key_id, scope = _credential(given["Credential"])
    return Signature(access_key_id, scope, _names(given["SignedHeaders"]), _hex(given["Signature"]), moment, pairs)


def _from_query(given: dict[str, str], pairs: tuple[tuple[str, str], ...]) -> Signature:
    if given.get("X-Amz-Algorithm") != ALGORITHM:
        raise _incomplete(f"AWS query-string parameters must include 'X-Amz-Algorithm={ALGORITHM}'.")
    needed = ("Credential", "Date", "Expires", "SignedHeaders", "Signature")
    missing = [f"X-Amz-{name}" for name in needed if not given.get(f"X-Amz-{name}")]
    if missing:
        raise _incomplete(f"AWS query-string parameters must include {', '.join(repr(name) for name in missing)}.")
    moment, expires = given["X-Amz-Date"], given["X-Amz-Expires"]
    if not _MOMENT.fullmatch(moment):
        raise _incomplete("Date must be in ISO-8601 'basic format', such as 20260101T000000Z.")
    if not _DIGITS.fullmatch(expires) or int(expires) > EXPIRES_LIMIT_SECONDS:
        raise _incomplete(f"X-Amz-Expires must be a number of seconds of at most {EXPIRES_LIMIT_SECONDS}.")
    access_key_id, scope = _credential(given["X-Amz-Credential"])
    signed = tuple((name, value) for name, value in pairs if _decoded(name) != "X-Amz-Signature")
    names, value = _names(given["X-Amz-SignedHeaders"]), _hex(given["X-Amz-Signature"])
    return Signature(access_key_id, scope, names, value, moment, signed, int(expires))


def _moment(head: Head) -> str | None:
    """When a request was signed, in the form that is signed; None if it does not say."""
    given = head.first("x-amz-date")
    if given is not None:
        return given if _MOMENT.fullmatch(given) else None
    date = head.first("date")
    if date is None:
        return None
    if _MOMENT.fullmatch(date):
        return date
    try:
        return f"{parsedate_to_datetime(date).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    except (ValueError, OverflowError):
        return None


def _credential(text: str) -> tuple[str, tuple[str, str, str, str]]:
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not parts[0]:
        raise _incomplete(
            "Credential must have at least 5 slash-delimited elements: KEY/DATE/REGION/SERVICE/aws4_request."
        )
    return parts[0], (parts[1], parts[2], parts[3], parts[4])


def _names(text: str) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for name in text.split(";") if name}))


def _hex(text: str) -> str:
    # compare_digest takes ASCII only; anything else is wrong anyhow.
    return text if _HASH.fullmatch(text) else ""


def _check_scope(signature: Signature, expected: Expected) -> None:
    date, region, service, terminator = signature.scope
    wrong = []
    if terminator != TERMINATOR:
        wrong.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator[:50]}'.")
    if region != expected.region:
        wrong.append(f"Credential should be scoped to a valid region, not '{region[:50]}'.")
    if service != expected.service:
        wrong.append(f"Credential should be scoped to correct service: '{expected.service}'.")
    if date != signature.moment[:8]:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date[:50]}' != '{signature.moment[:8]}', from '{signature.moment}'."
        )
    if wrong:
        raise _invalid(" ".join(wrong))


def _check_time(signature: Signature, now: float) -> None:
    try:
        made = datetime.strptime(signature.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _incomplete("Date must be in ISO-8601 'basic format', such as 20260101T000000Z.") from None
    lasts = TOLERANCE_SECONDS if signature.expires_seconds is None else signature.expires_seconds
    if made > now + TOLERANCE_SECONDS:
        late = _text(now + TOLERANCE_SECONDS)
        raise _invalid(
            f"Signature not yet current: {signature.moment} is still later than {late} ({_text(now)} + 5 min.)"
        )
    if made + lasts < now:
        early = _text(now - lasts)
        span = "5 min." if signature.expires_seconds is None else f"{lasts} s"
        raise _invalid(f"Signature expired: {signature.moment} is now earlier than {early} ({_text(now)} - {span})")


def _text(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M%SZ}"


def _canonical_requests(signature: Signature, head: Head, body_hash: str) -> Iterable[str]:
    headers = "".join(f"{name}:{_header(head.values(name))}\n" for name in signature.signed_headers)
    names = ";".join(signature.signed_headers)
    for path, query in product(_canonical_paths(head.path), _canonical_queries(signature.query)):
        yield "\n".join((head.method, path, query, headers, names, body_hash))


def _canonical_paths(path: str) -> Iterable[str]:
    """Encoded once more than it came, as for every service but S3; with its dot segments taken out, or as it came."""
    plain = path or "/"
    return dict.fromkeys((quote(_without_dots(plain), safe="/~"), quote(plain, safe="/~")))


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if path.endswith("/") and kept else "")


def _canonical_queries(pairs: Sequence[tuple[str, str]]) -> Iterable[str]:
    """Encoded in the one canonical way, or as the client has encoded it."""
    encoded = ((_encoded(name), _encoded(value)) for name, value in pairs)
    return dict.fromkeys("&".join(f"{name}={value}" for name, value in sorted(form)) for form in (encoded, pairs))


def _pairs(query: str) -> Iterable[tuple[str, str]]:
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        yield name, value


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")


def _header(values: Sequence[str]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The same for all requests of a day."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, TERMINATOR):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256")


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _invalid(message: str) -> ApiError:
    return ApiError(403, "InvalidSignatureException", message)


def _incomplete(message: str) -> ApiError:
    return ApiError(403, "IncompleteSignatureException", message)
