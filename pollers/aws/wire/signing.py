"""AWS Signature Version 4 for a POST of JSON: what botocore's signer would send, without building its request objects.

``tests/contract`` holds every signature to botocore's own.
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import ReadOnlyCredentials

_DATE = "x-amz-date"
_TOKEN = "x-amz-security-token"  # noqa: S105 - a header's name


class Signer:
    """Signs POSTs to one host and path, with constant headers, for one service in one region."""

    def __init__(self, *, path: str, service: str, region: str, headers: Mapping[str, str]) -> None:
        """``headers`` are those to sign, Host among them; ``path`` is encoded as it goes over the wire."""
        self._path = path
        self._headers = {name.lower(): value.strip() for name, value in headers.items()}
        self._service = service
        self._region = region
        self._plain = self._canonical_form(_DATE)
        self._with_token = self._canonical_form(_DATE, _TOKEN)
        self._second = -1
        self._stamp = ""
        self._key_of = ("", "")
        self._key = b""

    def _canonical_form(self, *changing: str) -> tuple[str, str]:
        """A canonical request with places for the date, the token and the body's hash; and the names of its headers."""
        values = {name: value.replace("{", "{{").replace("}", "}}") for name, value in self._headers.items()}
        values.update({name: f"{{{place}}}" for place, name in enumerate(changing)})
        lines = "".join(f"{name}:{values[name]}\n" for name in sorted(values))
        names = ";".join(sorted(values))
        return f"POST\n{self._path}\n\n{lines}\n{names}\n{{2}}", names

    def sign(self, body: bytes, credentials: ReadOnlyCredentials, now: float) -> str:
        """The header lines that authorise ``body`` at ``now`` (seconds since the epoch), each ended by CRLF."""
        stamp = self._stamp_at(int(now))
        date = stamp[:8]
        token = credentials.token
        form, names = self._with_token if token else self._plain
        canonical = form.format(stamp, token, sha256(body).hexdigest())
        scope = f"{date}/{self._region}/{self._service}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(credentials.secret_key, date), to_sign.encode(), "sha256").hex()
        token_line = f"X-Amz-Security-Token: {token}\r\n" if token else ""
        return (
            f"X-Amz-Date: {stamp}\r\n{token_line}Authorization: AWS4-HMAC-SHA256 "
            f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
        )

    def _stamp_at(self, second: int) -> str:
        if second != self._second:
            self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._second = second
        return self._stamp

    def _signing_key(self, secret: str, date: str) -> bytes:
        """Good for a day, so derived once a day (and for each new secret)."""
        if self._key_of != (secret, date):
            key = f"AWS4{secret}".encode()
            for part in (date, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_of = key, (secret, date)
        return self._key
