"""Regions and their partitions, as the SDK knows them."""

from __future__ import annotations

import pytest
from botocore.loaders import create_loader

from config import domain_of, partition_of

PARTITIONS = create_loader().load_data("partitions")["partitions"]


@pytest.mark.parametrize("partition", PARTITIONS, ids=[partition["id"] for partition in PARTITIONS])
def test_every_region_that_the_sdk_knows_is_in_its_partition(partition: dict[str, object]) -> None:
    """With the domain of its endpoints. A partition that AWS adds is noticed here."""
    regions, outputs = partition["regions"], partition["outputs"]
    assert isinstance(regions, dict)
    assert isinstance(outputs, dict)
    for region in regions:
        if not region.endswith("-global"):
            assert partition_of(region) == partition["id"]
            assert domain_of(region) == outputs["dnsSuffix"]
