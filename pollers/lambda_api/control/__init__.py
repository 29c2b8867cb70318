"""The control operations: what clients ask and say of functions, beside invoking them (docs/lambda 11.11, 11.12, 12.4, 13.1).

:class:`Control` is what they need, :func:`control_operations` declares them all. There is a file for each kind of resource, with
its requests, replies and operations; :mod:`requests` reads and checks documents, :mod:`paging` cuts lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.control.table import control_operations

__all__ = ["Control", "control_operations"]
__getattr__ = lazily(__name__, {"control": "Control", "table": "control_operations"})
