"""Talking to a running Headrace over its HTTP server."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pollers.server.token_files import Found, token_in, tokens_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_URL = "http://127.0.0.1:8787"
TIMEOUT_SECONDS = 30.0


class Refused(Exception):  # noqa: N818 - the message says why
    """The running Headrace answered with an error."""

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        super().__init__(answer.get("error") or f"HTTP {status}")
        self.status = status
        self.answer = answer

    @property
    def token_file(self) -> str | None:
        """The file of the missing token, if the answer names it."""
        file = self.answer.get("token_file")
        return file if self.status == HTTPStatus.UNAUTHORIZED and isinstance(file, str) else None


class Remote:
    """One running Headrace. Raises Refused for its errors, OSError when it cannot be reached."""

    def __init__(self, url: str, token: str | None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._timeout_seconds = timeout_seconds

    def get(self, path: str) -> dict[str, Any]:
        """A GET."""
        return self._call("GET", path)

    def post(self, path: str) -> dict[str, Any]:
        """A POST without a body."""
        return self._call("POST", path)

    def _call(self, method: str, path: str) -> dict[str, Any]:
        """Call with the token that was given. For a change, if there is none or it is refused, try those kept on this machine."""
        if method == "GET":
            return self._request(method, self.url + path, self._token)
        found = [Found(self.url, self._token)] if self._token else []
        found += tokens_for(self.url)
        try:
            return (
                self._request_with_each(method, path, found) if found else self._request(method, self.url + path, None)
            )
        except Refused as refused:
            named = token_in(self.url, refused.token_file) if refused.token_file else []
            if not named:
                raise
        return self._request_with_each(method, path, named)

    def _request_with_each(self, method: str, path: str, found: Sequence[Found]) -> dict[str, Any]:
        """Try one token after another until one is accepted. A name may have several addresses; some may not answer."""
        problem: Refused | OSError | None = None
        for url, token in found:
            try:
                return self._request(method, url + path, token)
            except Refused as refused:
                if refused.status != HTTPStatus.UNAUTHORIZED:
                    raise
                problem = refused
            except OSError as unreachable:
                problem = problem or unreachable
        assert problem is not None  # noqa: S101 - there is one to try
        raise problem

    def _request(self, method: str, url: str, token: str | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - checked by the option
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
        try:
            with opener.open(request, timeout=self._timeout_seconds) as reply:
                return _object(reply.read())
        except urllib.error.HTTPError as refused:
            with refused:
                to, answer = refused.headers.get("Location"), _object(refused.read())
            raise Refused(refused.code, {"error": f"redirected to {to}"} if to else answer) from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are not followed: that would send the token to the address that they name, such as a sign-in page."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        """Do not follow it."""


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {"error": f"the answer is not JSON: {body[:80]!r}"}
    return answer if isinstance(answer, dict) else {"error": "the answer is not an object"}


def _checked(_context: click.Context, _option: click.Parameter, url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("expected http://HOST:PORT")
    return url


def remote_options(command: Command) -> Command:
    """``--url`` and ``--token``, for every command that talks to a running Headrace."""
    url = click.option(
        "--url",
        default=DEFAULT_URL,
        envvar="HEADRACE_URL",
        show_default=True,
        show_envvar=True,
        callback=_checked,
        help="Where it runs (runtime.http).",
    )
    token = click.option(
        "--token",
        envvar="HEADRACE_TOKEN",
        show_envvar=True,
        help="Its bearer token, if it has one (runtime.http.token).",
    )
    return url(token(command))


def ask(call: Callable[[], dict[str, Any]], url: str) -> dict[str, Any]:
    """The answer; exits with 1 and a sentence on stderr when there is none."""
    try:
        return call()
    except Refused as refused:
        click.echo(f"refused: {refused}", err=True)
    except OSError as unreachable:
        reason = getattr(unreachable, "reason", unreachable)
        click.echo(f"no Headrace answers at {url}: {reason}", err=True)
    sys.exit(1)


def on_terminal() -> bool:
    """Whether a person reads the output."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
