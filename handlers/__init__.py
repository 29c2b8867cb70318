"""The functions: one interface (:class:`Function`), one room for each family of ways to run one. None knows of queues or batches.

::

    factory                     from a function's model to what runs it
      workers      runtime_api  in processes of their own, over Lambda's Runtime API
      in_process                in this process
      remote                    behind Lambda's Invoke API, or HTTP
    environment  inspection     what functions are told of where they run; what can be found wrong before they do
    logs  system  http1         what the others share
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.errors import FunctionUnusable, HandlerError
    from handlers.factory import make_function
    from handlers.function import (
        Function,
        FunctionError,
        FunctionStatus,
        InfrastructureError,
        Invocation,
        Payload,
        Result,
        Throttle,
    )

__all__ = [
    "Function",
    "FunctionError",
    "FunctionStatus",
    "FunctionUnusable",
    "HandlerError",
    "InfrastructureError",
    "Invocation",
    "Payload",
    "Result",
    "Throttle",
    "make_function",
]
__getattr__ = lazily(
    __name__,
    {
        "errors": "FunctionUnusable HandlerError",
        "factory": "make_function",
        "function": "Function FunctionError FunctionStatus InfrastructureError Invocation Payload Result Throttle",
    },
)
