"""Function URLs from the configuration of Lambda's API, beside which they are served."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from config.sections import is_loopback
from pollers.clocks.clock import SystemClock
from pollers.function_urls.calling import ByCallers, KnownUrls
from pollers.function_urls.proxies import Proxies
from pollers.function_urls.signatures import AnySignature
from pollers.function_urls.sites import Doors, FunctionUrls
from pollers.lambda_api import SignedAccess, is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.models import LambdaApi
    from pollers.function_urls.calling import Given
    from pollers.function_urls.signatures import Signatures
    from pollers.functions import FunctionHost
    from pollers.lambda_api import Access, Callers, Here


def function_urls(
    at: LambdaApi, here: Here, functions: Mapping[str, FunctionHost], given: Given, *, callers: Callers, access: Access
) -> FunctionUrls:
    """The sites of ``functions``, whose URLs ``given`` knows.

    ``access`` is the API's own: where that verifies signatures, so do URLs. A server on loopback knows its own host names.
    """
    signatures: Signatures = access if isinstance(access, SignedAccess) else AnySignature()
    local = is_loopback(at.host)
    doors = Doors(Proxies(at.trusted_proxies), signatures, lambda host: not local or is_ours(host, at.host))
    return FunctionUrls(
        KnownUrls(functions, given),
        ByCallers(functions, callers, at.queue_seconds),
        doors,
        here,
        clock=SystemClock(),
        bits=random.Random().getrandbits,  # noqa: S311 - ids of traces are no secrets
    )
