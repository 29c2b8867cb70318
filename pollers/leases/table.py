"""The seam between leases and the table that they lie in: single items, written under conditions.

Items are DynamoDB's own: a typed value (``{"S": ...}``, ``{"N": ...}``) for each attribute. All calls raise
:class:`pollers.aws.errors.AwsError` for what the service or the network does; such a write may have taken place nevertheless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Item: TypeAlias = "dict[str, dict[str, Any]]"
"""Attributes by name, each as DynamoDB writes it."""

KEY = "leaseKey"
"""The only key of a lease table; of type S."""


class ConditionFailed(Exception):  # noqa: N818 - an answer, not a fault
    """The item is not as the write expected. ``item`` is as it is, None when there is none."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the item is not as expected")
        self.item = item


class LeaseTable(Protocol):
    """One lease table."""

    @property
    def name(self) -> str:
        """The table's name."""

    @property
    def indexed(self) -> bool:
        """Whether :meth:`owned_by` may be asked: the index by owner is there and is active. Known after :meth:`ensure`."""

    async def ensure(self) -> None:
        """Make the table where there is none, on demand and with the index by owner, and wait until it can be used.

        A table that another made at the same time serves as well. Raises StoreUnreadable for one whose key is not ``leaseKey``.
        """

    async def exists(self) -> bool:
        """Whether there is a table. Makes none. Raises StoreUnreadable for one whose key is not ``leaseKey``."""

    async def scan(self) -> list[Item]:
        """Every item, page by page, read as the service likes: some may be older than the last write."""

    async def owned_by(self, owner: str) -> list[str]:
        """Keys of the items whose ``leaseOwner`` this is, from the index: usually less than a second old, not promised."""

    async def get(self, key: str) -> Item | None:
        """One item as it is now (a consistent read)."""

    async def add(self, item: Item) -> None:
        """Put a new item. Raises ConditionFailed when there is one of this key."""

    async def update(
        self, key: str, *, put: Item, remove: tuple[str, ...] = (), expected: Mapping[str, dict[str, Any] | None]
    ) -> Item:
        """Set the attributes ``put`` and remove others, only if the item has the attributes ``expected`` (None: absent).

        Returns the whole item as it is now. ``expected`` is never empty, so that an item that is gone is not made anew. Raises
        ConditionFailed.
        """

    async def delete(self, key: str, *, expected: Mapping[str, dict[str, Any] | None]) -> None:
        """Delete the item if it is as expected, as with :meth:`update`. Raises ConditionFailed."""
