"""New code is tried beside the old one, before it takes its place: what fails then never took work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.errors import FunctionUnusable

if TYPE_CHECKING:
    from config.models import FunctionModel
    from pollers.functions import FunctionHost, Functions


SUPERSEDED = "another trial of it has begun"
"""What :meth:`Trials.tried` says of a trial that is of no interest any more."""


class Trials:
    """The candidates that were tried and wait to be taken, at most one of each function.

    A reload has trials of its own: a renewal that waits meanwhile must not take them, nor leave them for being of another model.
    """

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._candidates: dict[str, FunctionHost] = {}
        self._proven: set[str] = set()

    async def tried(self, name: str, model: FunctionModel) -> str | None:
        """Load the function's code as it is now, beside what runs. Says what is wrong with it, or None when it can be taken."""
        self.drop(name)
        host = self._candidates[name] = self._functions.candidate(name, model)
        problem = None
        try:
            await host.prove()
        except FunctionUnusable as unusable:
            problem = str(unusable)
        except BaseException:
            host.close()
            raise
        if self._candidates.get(name) is not host:
            return SUPERSEDED
        if problem is None:
            self._proven.add(name)
        else:
            self.drop(name)
        return problem

    def has(self, name: str) -> bool:
        """Whether a tried candidate waits."""
        return name in self._proven

    def take(self, name: str, model: FunctionModel) -> FunctionHost | None:
        """The candidate that was tried, if one waits that runs as ``model`` does.

        If it has broken down since, it is entered again, with the code that was tried where functions run copies.
        """
        if name not in self._proven:
            return None
        host = self._candidates[name]
        if not host.model.runs_as(model):
            self.drop(name)
            return None
        self._proven.discard(name)
        return self._candidates.pop(name)

    def drop(self, name: str) -> None:
        """Leave the candidate, tried or not."""
        self._proven.discard(name)
        host = self._candidates.pop(name, None)
        if host is not None:
            host.close()

    def end(self) -> None:
        """Leave every candidate that has not been taken."""
        for name in list(self._candidates):
            self.drop(name)
