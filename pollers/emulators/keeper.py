"""Starts one command, and kills its whole process group when the process that asked for it has ended.

Run as a script (``python -I -S keeper.py COMMAND ...``) in a session of its own. Its standard input is a pipe whose
other end the parent holds. So the end of that pipe means that the parent has closed it or has died, also by ``kill -9``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 2.0


def main() -> int:
    """Run the command until it ends or the pipe does."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - the parent's own command
    while child.poll() is None:
        if select.select([sys.stdin], [], [], 0.25)[0] and not os.read(sys.stdin.fileno(), 4096):
            break
    # The group holds this keeper, which ignores SIGTERM, the command, and whatever the command started.
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    code = child.poll()
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), f"keeper: the command ended with {code}\n".encode())
    os.killpg(0, signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
