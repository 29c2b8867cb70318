"""Every control operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.lambda_api.control.concurrency import Concurrency
from pollers.lambda_api.control.event_invoke import EventInvokeConfigs
from pollers.lambda_api.control.function_changes import FunctionChanges
from pollers.lambda_api.control.functions import Functions
from pollers.lambda_api.control.mappings import Mappings
from pollers.lambda_api.control.permissions import Permissions
from pollers.lambda_api.control.tagging import Tagging
from pollers.lambda_api.control.url_configs import UrlConfigs

if TYPE_CHECKING:
    from pollers.lambda_api.control.control import Control
    from pollers.lambda_api.operations import Operation


def control_operations(control: Control) -> tuple[Operation, ...]:
    """Their declarations, to be served beside those that invoke."""
    kinds = (Functions, FunctionChanges, Concurrency, EventInvokeConfigs, UrlConfigs, Permissions, Mappings, Tagging)
    return tuple(operation for kind in kinds for operation in kind(control).operations())
