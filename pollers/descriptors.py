"""File descriptors of the process."""

from __future__ import annotations

import os


def occupy_closed_descriptors() -> None:
    """Standard input, output and error that were closed when the process began are the null device from now on.

    The next file or socket would get their numbers otherwise, and what a library or a worker writes to its standard error would
    go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
