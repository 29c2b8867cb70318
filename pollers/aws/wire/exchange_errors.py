"""Why a request has no reply."""

from __future__ import annotations


class ExchangeFailed(Exception):  # noqa: N818 - named for what happened to the request
    """No reply: nobody can tell whether the service has acted on the request."""


class ConnectionLost(ExchangeFailed):
    """The connection ended, or what came over it was no HTTP."""


class Unanswered(ConnectionLost):
    """The connection ended without a byte of a reply."""


class ConnectFailed(ExchangeFailed):
    """No connection was made (refused, unknown host, TLS, time-out), so the request was not sent."""


class NoDescriptors(ConnectFailed):
    """There is no file descriptor for one more connection."""


class ReplyTimeout(ExchangeFailed):
    """The reply did not come in time."""
