"""The tail of an invocation's log, as Lambda gives it to a caller (docs/lambda 8.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.function import Invocation, Payload
from handlers.logs import log_tail

START, END = "START RequestId: r-1 Version: $LATEST", "END RequestId: r-1"
REPORT = (
    "REPORT RequestId: r-1\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\t"
)


def tail(*lines: str, reported: bool = True) -> str:
    """The tail of an invocation with this log."""
    return log_tail(Invocation("r-1", Payload(b"1"), 0.00123, lines, reported=reported)).decode()


def test_every_event_is_a_line() -> None:
    """Between START and END, byte for byte."""
    assert tail(START, "hello\tZo\u00eb", "{}", END, REPORT) == f"{START}\nhello\tZo\u00eb\n{{}}\n{END}\n{REPORT}\n"


def test_an_error_of_python_is_indented_by_nbsp_and_has_no_line_break_at_its_end() -> None:
    """As AWS's client writes it into its frame."""
    error = (
        '[ERROR] ValueError: two\n  lines\nTraceback (most recent call last):\n  File "app.py", line 1\n    raise  it'
    )
    assert tail(START, error, END) == (
        f"{START}\n[ERROR] ValueError: two\n  lines\nTraceback (most recent call last):\n"
        f'\u00a0\u00a0File "app.py", line 1\n\u00a0\u00a0\u00a0\u00a0raise  it{END}\n'
    )


@pytest.mark.parametrize(
    "event", ["[ERROR]\t2026\tr-1\tx\nTraceback (most recent call last):\n  File", "[ERROR] x", "x\n  y"]
)
def test_what_the_function_logs_itself_stays_as_it_is(event: str) -> None:
    """``logging.exception`` too."""
    assert tail(event) == f"{event}\n"


def test_what_lambda_says_is_made_where_nobody_else_has() -> None:
    """In process and over HTTP."""
    start, printed, end, report, rest = tail("printed", reported=False).split("\n")
    assert (start, printed, end, rest) == (START, "printed", END, "")
    assert report.startswith("REPORT RequestId: r-1\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: ")
    assert report.endswith(" MB\tMax Memory Used: 0 MB\t")


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=3000), max_size=20))
def test_it_is_never_more_than_four_kilobytes_of_utf_8(lines: list[str]) -> None:
    """Whatever is logged, lone surrogates included; it is the end, and nothing of it is lost but half a character."""
    whole = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    found = tail(*lines).encode()
    assert whole.endswith(found)
    assert len(found) == len(whole) if len(whole) <= 4096 else 4093 <= len(found) <= 4096
