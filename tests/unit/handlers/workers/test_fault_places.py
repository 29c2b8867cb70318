"""Where a worker that could not be started failed, in the user's own files."""

from __future__ import annotations

import json

from handlers.function import FunctionError, InfrastructureError
from handlers.workers.fault_places import found_at

COPIES = {"/tmp/copy/code": "/home/me/shop"}


def failed(error_type: str, message: str, *trace: str) -> FunctionError:
    return FunctionError(error_type, message, json.dumps({"stackTrace": trace}).encode())


def test_the_last_line_of_the_user_s_own_code_comes_first() -> None:
    """Not that of the library which it called."""
    trace = ['  File "/home/me/shop/app.py", line 3, in <module>\n    x()', '  File "/usr/lib/x.py", line 9, in x\n']
    assert found_at(failed("KeyError", "'a'", *trace), COPIES) == "/home/me/shop/app.py:3: KeyError: 'a'"


def test_a_copy_is_never_named() -> None:
    """Syntax errors of AWS's client spell it in another way."""
    error = failed("Runtime.UserCodeSyntaxError", "bad (/tmp/copy/code/a.py)", '  File "/tmp/copy/code/a.py" Line 7\n')
    assert found_at(error, COPIES) == "/home/me/shop/a.py:7: bad (/home/me/shop/a.py)"


def test_what_has_no_place_is_said_as_it_is() -> None:
    """A program that exits, and one that cannot be run."""
    assert found_at(failed("Runtime.ExitError", "RequestId:  Error: exit status 7"), COPIES) == "exit status 7"
    assert found_at(InfrastructureError("/tmp/copy/code/x: not there"), COPIES) == "/home/me/shop/x: not there"
