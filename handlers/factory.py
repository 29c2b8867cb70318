"""From a function's model in the configuration to what runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import config.models as models
from handlers.environment import world_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlers.environment import World
    from handlers.function import Function


def make_function(
    name: str,
    model: models.FunctionModel,
    *,
    aws: models.Aws = models.Aws(),  # noqa: B008 - immutable
    where: World | None = None,
    metric_line: Callable[[str], None] | None = None,
) -> Function:
    """The function that ``model`` describes, not entered yet. Nothing of a runtime that is not used is imported.

    ``aws`` says where the Invoke API is, ``where`` what functions outside of AWS are told of their surroundings (by
    default what ``aws`` and the environment say). ``metric_line`` takes workers' embedded metrics out of the log.
    """
    where = where or world_of(aws)
    match model:
        case models.PythonFunction():
            from handlers.workers import WorkerFunction, prepare_python

            return WorkerFunction(name, model, prepare_python, world=where, metric_line=metric_line)
        case models.ProvidedFunction():
            from handlers.workers import WorkerFunction, prepare_provided

            return WorkerFunction(name, model, prepare_provided, world=where, metric_line=metric_line)
        case models.InProcessFunction():
            from handlers.in_process import InProcessFunction

            return InProcessFunction(name, where.arn(name), model)
        case models.LambdaFunction():
            from handlers.remote import InvokeApiFunction

            return InvokeApiFunction(name, model, aws)
        case models.HttpFunction():
            from handlers.remote import HttpFunction

            return HttpFunction(name, where.arn(name), model)
