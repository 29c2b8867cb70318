"""``headrace run --watch``: changed code and a changed configuration are applied at once, function by function.

What the system tells only says that it is time to look; what has changed is what two looks at the folders differ in. So nothing
is missed while a folder is made again, while the system's queue overflows or after the watching broke down.
"""

from pollers.watching.service import Watching

__all__ = ["Watching"]
