"""Why a mapping is not made or changed, in Lambda's words (docs/lambda 1.3, 16.2)."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from pollers.lambda_api import errors
from pollers.made_mappings import AlreadyMapped, GivenByFile, InUse, Misfit, NoFunction, NoSource, NotThere
from pollers.storage import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from config.faults import Fault
    from pollers.lambda_api.errors import ApiError

log = structlog.stdlib.get_logger(__name__)

NO_FUNCTION = "Function does not exist"
NOT_THERE = "The resource you requested does not exist."
_WORDS = re.compile(r"\(AWS: (.*)\)$", re.DOTALL)
_PATTERN = "Invalid filter pattern definition."
_FIRST = ("DestinationConfig", "", "EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "BatchSize")
"""Which fault is told, where there are several: as far as it was recorded. Filters come last."""


@contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Turns the errors of made mappings into the API's. ``doing`` is ``create``, ``update`` or ``delete``."""
    try:
        yield
    except Misfit as misfit:
        log.info(
            "a mapping was refused through the API", faults=[f"{one.path}: {one.message}" for one in misfit.faults]
        )
        raise refused(misfit.faults) from None
    except NoFunction:
        raise errors.invalid_parameter(NO_FUNCTION) from None
    except NoSource as missing:
        raise errors.invalid_parameter(str(missing)) from None
    except NotThere:
        raise errors.not_found(NOT_THERE) from None
    except InUse:
        raise errors.in_use(f"Cannot {doing} the event source mapping because it is in use.") from None
    except AlreadyMapped as other:
        text = f"{other.words} Please update or delete the existing mapping with UUID {other.uuid}"
        raise errors.conflict(text) from None
    except GivenByFile as given:
        raise errors.conflict(str(given)) from None
    except (StoreError, TimeoutError) as error:
        raise errors.service_error(f"the change was not kept: {error or 'the disk did not answer'}") from error


def refused(faults: Sequence[Fault]) -> ApiError:
    """400 for the first of these faults. AWS's own text where it is known, else what the configuration would say."""
    fault = min(faults, key=_rank)
    text = _text(fault)
    if text.startswith("1 validation error detected: Value '"):
        return errors.ApiError(400, errors.VALIDATION, text)
    return errors.invalid_parameter(text)


def _rank(fault: Fault) -> tuple[int, bool]:
    setting = re.split(r"[.\[]", fault.path, maxsplit=1)[0]
    return _FIRST.index(setting) if setting in _FIRST else len(_FIRST), setting == "FilterCriteria"


def _text(fault: Fault) -> str:
    found = _WORDS.search(fault.message)
    if found is not None:
        return found[1]
    if fault.message.startswith(_PATTERN):
        return _PATTERN
    return f"{fault.path}: {fault.message}" if fault.path else fault.message
