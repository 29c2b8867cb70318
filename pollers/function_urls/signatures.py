"""Who signed a request, for URLs with AuthType AWS_IAM (docs/lambda 13.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from pollers.function_urls.percent import parameters
from pollers.function_urls.replies import FORBIDDEN

if TYPE_CHECKING:
    from pollers.function_urls.head import Head
    from pollers.function_urls.replies import Reply

_SCHEME = "AWS4-HMAC-SHA256"
_CREDENTIAL = re.compile(r"\bCredential=([A-Za-z0-9_+=.@-]{1,128})/")


class NotAllowed(Exception):  # noqa: N818 - named for what follows
    """The request is refused, with this reply."""

    def __init__(self, reply: Reply = FORBIDDEN) -> None:
        super().__init__(f"status {reply.status}")
        self.reply = reply


class Signatures(Protocol):
    """Knows who signed. Both methods raise :class:`NotAllowed`."""

    def check_head(self, head: Head) -> str:
        """What can be told before the body is there: the id of the access key."""

    def check_body(self, head: Head, body: bytes) -> None:
        """Whether the body is the one that was signed."""


class AnySignature:
    """Takes whatever signature there is, and refuses requests without one: where no credentials are configured."""

    def check_head(self, head: Head) -> str:
        """The id of the access key that the signature names."""
        key = named_key(head)
        if key is None:
            raise NotAllowed
        return key

    def check_body(self, head: Head, body: bytes) -> None:
        """Nothing can be told of it."""


def named_key(head: Head) -> str | None:
    """The id of the access key in a signature, in the header or in the query; None without one."""
    given = head.fields.get("authorization", "")
    if given.startswith(_SCHEME):
        found = _CREDENTIAL.search(given)
        return found[1] if found is not None and "Signature=" in given else None
    asked = parameters(head.path_and_query[1])
    if asked.get("X-Amz-Algorithm") == _SCHEME and asked.get("X-Amz-Signature"):
        return asked.get("X-Amz-Credential", "").partition("/")[0] or None
    return None
