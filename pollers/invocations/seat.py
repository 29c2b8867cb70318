"""A lane's place among the callers of a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollers.engine.permits import Claim
    from pollers.functions import Caller, FunctionHost


class Seat:
    """A :class:`Caller` of one host, for as long as anything runs by it or may soon.

    A host that was renewed by a reload keeps its workers until its last caller has left, so nobody sits there for nothing.
    """

    def __init__(self, host: FunctionHost) -> None:
        self.host = host
        self.caller: Caller = host.caller()
        self.left = False
        self._used = 0
        self._given_up = False

    @property
    def claim(self) -> Claim:
        """The permits."""
        return self.caller.claim

    @property
    def used(self) -> bool:
        """Whether anything runs by it."""
        return self._used > 0

    def use(self) -> None:
        """Something begins to run by it."""
        self._used += 1

    def unuse(self) -> None:
        """What ran has ended: its permit goes back."""
        if self.left:
            return
        self._used -= 1
        self.claim.release()
        if self._given_up and not self._used:
            self.leave()

    def give_up(self) -> None:
        """Leave as soon as nothing runs any more."""
        self._given_up = True
        if not self._used:
            self.leave()

    def leave(self) -> None:
        """Leave now. Whatever is still held goes back: a task that was cancelled before it began has given nothing back itself."""
        if not self.left:
            self.left = True
            self.caller.__exit__(None, None, None)
