"""Environments that no process can be started with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from handlers.inspection.limits import STRING_LIMIT_BYTES, environment_problems


def problems(environment: dict[str, str], limit_bytes: int = 10**9) -> list[str]:
    """The variables at fault."""
    return [name for name, _ in environment_problems(environment, ("python",), limit_bytes)]


def test_what_the_system_takes_is_no_problem() -> None:
    """However many there are, within the limit."""
    assert problems({"A": "x" * 1000, "B": ""}) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the limit for one variable is Linux's")
def test_one_variable_beyond_the_limit_is_named() -> None:
    """The system's own limit, to a few bytes: it takes what is said to fit, and refuses what is said not to."""
    longest = STRING_LIMIT_BYTES - len("A=") - 1
    assert problems({"A": "x" * longest + "x"}) == ["A"]
    assert problems({"A": "x" * (longest - 16)}) == []
    subprocess.run(["/bin/true"], env={"A": "x" * (longest - 16)}, check=True)
    with pytest.raises(OSError, match="too long"):
        subprocess.run(["/bin/true"], env={"A": "x" * (longest + 1)}, check=True)


def test_all_together_beyond_the_limit_name_the_largest() -> None:
    """Nobody needs to search."""
    ((name, message),) = environment_problems({"A": "x" * 50, "B": "x" * 90, "C": "x"}, ("python",), 100)
    assert name == ""
    assert "the largest are B, A" in message


def test_what_cannot_be_encoded_is_named() -> None:
    """A null character ends a variable; half a surrogate is no text."""
    assert problems({"A": "x\0", "B": "\ud800", "C": "ok"}) == ["A", "B"]
