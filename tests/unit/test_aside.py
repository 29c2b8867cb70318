"""Work in a thread."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import anyio
import pytest

from pollers.aside import aside


class Package:
    """Something large that is handed to a thread."""


def refuse(package: Package) -> None:
    """Whatever it is."""
    raise ValueError("no package")


async def test_what_a_thread_refuses_is_not_kept() -> None:
    """Neither by the exception nor by the frames that it went through: the garbage collector comes seldom."""
    gc.disable()
    try:
        package = Package()
        gone = weakref.ref(package)
        with pytest.raises(ValueError, match="no package"):
            await given_aside(package)
        del package
        with anyio.fail_after(10):  # the thread lets go of it a moment later
            while gone() is not None:
                await anyio.sleep(0.001)
    finally:
        gc.enable()


async def given_aside(package: Package) -> None:
    """As a handler does it, whose frame holds the package."""
    await aside(partial(refuse, package))


async def test_what_a_thread_makes_is_given() -> None:
    """As it is."""
    assert await aside(lambda: 3) == 3
