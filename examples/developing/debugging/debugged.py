"""A layer for debugging: a handler before the real one, which waits for an editor on DEBUG_PORT. Nothing of it is deployed."""

import importlib
import os

import debugpy

try:
    debugpy.listen(("127.0.0.1", int(os.environ["DEBUG_PORT"])))
except RuntimeError as error:  # another worker has the port: the one before this, or a second one
    print("this worker is not debugged:", error)

_module, _, _name = os.environ["DEBUGGED"].rpartition(".")
handler = getattr(importlib.import_module(_module), _name)
