"""From a made mapping's settings to the model of a mapping, by the rules that hold for a file's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from config import ConfigError
from config.sources.extra import check_extra
from config.sources.requested import read_request
from pollers.made_mappings.errors import Misfit
from pollers.sources.registry import check_patterns

if TYPE_CHECKING:
    from config.models import Aws, Mapping
    from pollers.made_mappings.made import MadeMapping


def model_of(made: MadeMapping, now: float, aws: Aws | None = None) -> Mapping:
    """Its model, whose name is its UUID; whether its function exists is not asked. Raises Misfit.

    ``aws``: what it needs of this section is asked for, too.
    """
    try:
        return read_request(
            made.uuid, made.settings, (check_patterns, check_extra), datetime.fromtimestamp(now, UTC), aws
        )
    except ConfigError as error:
        raise Misfit(error.faults) from None
