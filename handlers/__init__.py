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
    from handlers.errors import FunctionUnusable, HandlerError, ReaderGone
    from handlers.factory import make_function
    from handlers.function import (
        PLAIN,
        Call,
        Function,
        FunctionError,
        FunctionStatus,
        InfrastructureError,
        Invocation,
        Payload,
        ResponseStream,
        Result,
        Throttle,
    )

__all__ = [
    "PLAIN",
    "Call",
    "Function",
    "FunctionError",
    "FunctionStatus",
    "FunctionUnusable",
    "HandlerError",
    "InfrastructureError",
    "Invocation",
    "Payload",
    "ReaderGone",
    "ResponseStream",
    "Result",
    "Throttle",
    "make_function",
]
__getattr__ = lazily(
    __name__,
    {
        "errors": "FunctionUnusable HandlerError ReaderGone",
        "factory": "make_function",
        "function": "Call Function FunctionError FunctionStatus InfrastructureError Invocation PLAIN Payload "
        "ResponseStream Result Throttle",
    },
)
