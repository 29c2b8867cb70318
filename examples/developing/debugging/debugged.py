"""A layer for debugging: a handler before the real one, which waits for an editor on DEBUG_PORT. Nothing of it is deployed."""

import importlib
import os

import debugpy

_module, _, _name = os.environ["DEBUGGED"].rpartition(".")
_handler = getattr(importlib.import_module(_module), _name)
_listening = False


def handler(event, context):
    """Listen with the first event, not before: a new worker is loaded while the one before it still has the port."""
    global _listening
    if not _listening:
        try:
            debugpy.listen(("127.0.0.1", int(os.environ["DEBUG_PORT"])))
            _listening = True
        except RuntimeError as error:  # another worker has the port
            print("this worker is not debugged:", error)
    return _handler(event, context)
