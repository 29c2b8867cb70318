"""The credentials that every client signs with. The SDK's chain is asked again if it found none or AWS refused them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

from pollers.aws.wire.sendable import credentials_fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from aiobotocore.credentials import AioCredentials, AioRefreshableCredentials
    from botocore.credentials import ReadOnlyCredentials

ASK_AGAIN_SECONDS = 5.0
"""A chain that has found nothing is asked no more often than this: it may read files and call metadata services."""


class ReloadingCredentials:
    """Stands where the SDK's credentials would.

    Those of a role refresh themselves; those of a file or the environment never change, so when AWS refuses them
    (:meth:`refused`) the chain runs anew and finds what has been written since.
    """

    method = "headrace"

    def __init__(self, load: Callable[[], Awaitable[AioCredentials | AioRefreshableCredentials | None]]) -> None:
        """``load`` runs the SDK's chain once."""
        self._load = load
        self._found: AioCredentials | AioRefreshableCredentials | None = None
        self._asked_at = -ASK_AGAIN_SECONDS
        self._asking = anyio.Lock()
        self._sound: ReadOnlyCredentials | None = None

    async def get_frozen_credentials(self) -> ReadOnlyCredentials | None:
        """Key, secret and token to sign one request with; None when the chain has none. Raises botocore's errors."""
        found = self._found
        if found is None:
            found = await self._ask()
        if found is None:
            return None
        with _as_credential_failure(str(found.method)):
            frozen: ReadOnlyCredentials = await found.get_frozen_credentials()
        if frozen != self._sound:
            self._check(frozen, str(found.method))
        return frozen if frozen.access_key and frozen.secret_key else None

    def _check(self, frozen: ReadOnlyCredentials, method: str) -> None:
        """Refuse credentials that would break a request apart, or that AWS would refuse with a message about something else."""
        fault = credentials_fault(frozen, method)
        if fault is not None:
            self.refused()
            raise CredentialRetrievalError(provider=method, error_msg=fault)
        self._sound = frozen

    async def get_account_id(self) -> str | None:
        """The account, where the credentials name it."""
        frozen = await self.get_frozen_credentials()
        return frozen.account_id if frozen else None

    def get_deferred_property(self, name: str) -> Callable[[], None]:
        """botocore asks for the account id by this; aiobotocore calls :meth:`get_account_id` instead."""
        return lambda: None

    def refused(self) -> None:
        """AWS refused these credentials: ask the chain again before the next use, at most every :data:`ASK_AGAIN_SECONDS`."""
        if anyio.current_time() - self._asked_at >= ASK_AGAIN_SECONDS:
            self._found = None

    async def _ask(self) -> AioCredentials | AioRefreshableCredentials | None:
        async with self._asking:
            if self._found is None and anyio.current_time() - self._asked_at >= ASK_AGAIN_SECONDS:
                self._asked_at = anyio.current_time()
                with _as_credential_failure("the credential chain"):
                    self._found = await self._load()
            return self._found


@contextmanager
def _as_credential_failure(provider: str) -> Iterator[None]:
    """Whatever goes wrong in the SDK's chain is a failure to get credentials: garbled replies of STS, of a metadata service or of
    a credential process raise anything there; RuntimeError is its word for "refreshed, but still expired"."""
    try:
        yield
    except (BotoCoreError, ClientError, OSError, TimeoutError):
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise CredentialRetrievalError(provider=provider, error_msg=text) from error
