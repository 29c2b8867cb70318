"""What the service says about a lease table, as the errors of stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.errors import AccessDenied, NotFound, Refused
from pollers.storage.errors import StoreError, StoreUnwritable

if TYPE_CHECKING:
    from pollers.aws.errors import AwsError


class LeaseTableUnusable(StoreError):  # noqa: N818 - named for what the reader must do next: see to the table or the permissions
    """The table is not there, may not be used, or refuses what is written. Waiting alone does not cure that."""


class OwnersElsewhere(StoreError):  # noqa: N818 - named for what the reader must do next: stop the others, or allow them
    """Consumers that are not Headrace, or replicas with another stream, are at work on the same table."""


def store_error(error: AwsError, table: str) -> StoreError:
    """StoreUnwritable for what may pass, LeaseTableUnusable for what does not."""
    match error:
        case NotFound():
            return LeaseTableUnusable(f"the lease table {table} does not exist (any more): {error}")
        case AccessDenied():
            return LeaseTableUnusable(f"the lease table {table} may not be used: {error}")
        case Refused():
            return LeaseTableUnusable(f"the lease table {table} refuses what is written: {error}")
        case _:
            return StoreUnwritable(f"the lease table {table} does not answer: {error}")
