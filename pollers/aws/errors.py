"""AWS errors by what the caller must do next, whatever code the service (or an emulator) gave them."""

from __future__ import annotations

INVALID_REPLY = "InvalidReply"
"""The code of a reply that reports success but is incomplete or has a wrong form. It is ours: no service has it."""


TEXT_LIMIT = 500
"""Characters of a code and of a message that are kept: the error page of a proxy may have megabytes."""


class AwsError(Exception):
    """An AWS call failed. ``code`` is the service's own, without any ``AWS.SimpleQueueService.`` or ``#`` prefix."""

    def __init__(self, code: str, message: str = "", *, status: int = 0, operation: str = "") -> None:
        code, message = code[:TEXT_LIMIT], message[:TEXT_LIMIT]
        super().__init__(f"{operation + ': ' if operation else ''}{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.operation = operation


class Throttled(AwsError):  # noqa: N818
    """Too many requests: wait, with growing, random delays."""


class Unavailable(AwsError):  # noqa: N818
    """The service answered 5xx, something unreadable or nothing (connection lost, time-out): wait and try again."""


class CredentialsExpired(AwsError):  # noqa: N818
    """Credentials are missing, expired or not yet valid: the SDK may find new ones, so try again with delays."""


class AccessDenied(AwsError):  # noqa: N818
    """Not permitted: report once, try again slowly."""


class NotFound(AwsError):  # noqa: N818
    """The queue, stream, shard or consumer does not exist (in this region and account)."""


class IteratorExpired(AwsError):  # noqa: N818
    """A shard iterator is too old (or unreadable): make a new one after the last sequence number."""


class Trimmed(AwsError):  # noqa: N818
    """The position asked for has left the stream's retention."""


class ResourceInUse(AwsError):  # noqa: N818
    """The resource is being created, changed or read by another (a subscription within five seconds)."""


class ConditionUnmet(AwsError):  # noqa: N818
    """A conditional write found the item otherwise: nothing was written. ``reply``: the service's, which may have the item."""

    reply = b""


class Refused(AwsError):  # noqa: N818
    """Any other 4xx: the request itself is wrong; sending it again unchanged does not help."""
