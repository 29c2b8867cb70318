"""Which of a function's URLs the next invocation goes to (decider)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

EMULATOR_PATH = "/2015-03-31/functions/function/invocations"
"""The one path of Lambda's Runtime Interface Emulator (docs/lambda 8.5)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL. ``one_at_a_time`` for an emulator, which a second concurrent call crashes."""

    url: str
    one_at_a_time: bool


class FreeEndpoints:
    """A function's URLs. An emulator's is taken until it is given back, a web service's is only passed on to the end."""

    def __init__(self, urls: list[str]) -> None:
        self.all = [Endpoint(url, urlsplit(url).path.rstrip("/") == EMULATOR_PATH) for url in urls]
        self._free = deque(self.all)

    @property
    def capacity(self) -> int | None:
        """How many invocations may run at a time, if that is limited: an emulator's URL takes one."""
        return len(self.all) if any(endpoint.one_at_a_time for endpoint in self.all) else None

    def take(self) -> Endpoint | None:
        """The URL that has been free for longest; None when every emulator is busy."""
        if not self._free:
            return None
        endpoint = self._free.popleft()
        if not endpoint.one_at_a_time:
            self._free.append(endpoint)
        return endpoint

    def give_back(self, endpoint: Endpoint) -> None:
        """An emulator has answered."""
        self._free.append(endpoint)
