"""Replicas: the shards of a stream shared through a lease table, laid out as the Kinesis Client Library does it (decision 10).

May import :mod:`pollers.checkpoints`, whose seam it implements, the errors of :mod:`pollers.storage`, the types and errors of
:mod:`pollers.aws`, and :mod:`pollers.clocks`. :mod:`table` is the seam to the table itself: DynamoDB in production
(:mod:`dynamodb`), in memory in tests.
"""

from __future__ import annotations

from pollers.leases.dynamodb import DynamoLeaseTable
from pollers.leases.store import DynamoStore
from pollers.leases.table import ConditionFailed, Item, LeaseTable

__all__ = ["ConditionFailed", "DynamoLeaseTable", "DynamoStore", "Item", "LeaseTable"]
