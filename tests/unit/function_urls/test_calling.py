"""How the functions behind URLs are called."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from config.models import FunctionUrl
from handlers.errors import FunctionUnusable
from handlers.function import Payload, Throttle
from pollers.function_urls.calling import ByCallers, KnownUrls
from pollers.lambda_api import Callers
from pollers.resources import Url
from tests.unit.lambda_api.rig import rig

URL = FunctionUrl(auth_type="NONE")


@dataclass
class Given:
    """The URLs of functions."""

    urls: dict[str, Url]

    def url_of(self, name: str) -> Url | None:
        return self.urls.get(name)


async def test_a_function_is_called_with_a_share_of_its_permits() -> None:
    """And without a reserved one the URL is off: a throttle at once."""
    async with rig("hello") as at:
        invoke = ByCallers(at.functions, Callers(), 0)
        assert (await invoke("hello", b"{}", request_id="r")).result == Payload(b"{}")
        at.functions["hello"].reserve(0)
        assert isinstance((await invoke("hello", b"{}", request_id="r")).result, Throttle)


async def test_a_function_that_is_gone_cannot_be_called() -> None:
    """It may have left between the look at its URL and the call."""
    async with rig("hello") as at:
        with pytest.raises(FunctionUnusable, match="function other has left"):
            await ByCallers(at.functions, Callers(), 0)("other", b"{}", request_id="r")


async def test_only_functions_that_there_are_have_urls() -> None:
    """What the API made is kept for one that has left, and not served."""
    async with rig("hello", "plain") as at:
        urls = KnownUrls(at.functions, Given({"hello": Url(URL, 0.0, 0.0), "gone": Url(URL, 0.0, 0.0)}))
        assert list(urls.names()) == ["hello", "plain"]
        assert [urls.url_of(name) for name in ("hello", "plain", "gone")] == [URL, None, None]
