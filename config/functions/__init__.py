"""Functions: one file for each runtime, listed in :mod:`config.functions.registry`.

``runtime`` is the form of a declaration. ``function``, ``logging_config``, ``processes`` and ``handler_name`` are what several
runtimes share. ``reading`` turns a function of a file into a model.
"""

from config.functions.aws_lambda import LambdaFunction
from config.functions.function import FunctionBase
from config.functions.http import HttpFunction, Tls
from config.functions.in_process import InProcessFunction
from config.functions.logging_config import LoggingConfig
from config.functions.processes import ProcessFunction
from config.functions.provided import ProvidedFunction
from config.functions.python import PythonFunction
from config.functions.reading import NAME, read_function
from config.functions.registry import DEFAULT, RUNTIMES, FunctionModel

__all__ = [
    "DEFAULT",
    "NAME",
    "RUNTIMES",
    "FunctionBase",
    "FunctionModel",
    "HttpFunction",
    "InProcessFunction",
    "LambdaFunction",
    "LoggingConfig",
    "ProcessFunction",
    "ProvidedFunction",
    "PythonFunction",
    "Tls",
    "read_function",
]
