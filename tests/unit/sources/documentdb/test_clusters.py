"""What RDS's API says of a cluster, and what of it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from config import parse_arn
from pollers.aws.errors import NotFound, Unavailable
from pollers.clocks.service import ServiceClock
from pollers.sources.documentdb.clusters import Cluster, ClustersClient

if TYPE_CHECKING:
    from collections.abc import Mapping

ARN = parse_arn("arn:aws:rds:eu-west-1:123456789012:cluster:shop")
SHOP = {
    "DBClusterIdentifier": "shop",
    "DBClusterArn": str(ARN),
    "Status": "available",
    "Engine": "docdb",
    "EngineVersion": "5.0.0",
    "Endpoint": "shop.cluster-c.eu-west-1.docdb.amazonaws.com",
    "Port": 27018,
    "DBClusterParameterGroup": "default.docdb5.0",
}


class Answers:
    """Replies of RDS, one after another."""

    service_clock = ServiceClock()

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.made: list[tuple[str, dict[str, Any]]] = []

    async def reply(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.made.append((operation, dict(parameters)))
        return self.answers.pop(0)

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        raise AssertionError("RDS answers in XML")


async def test_a_cluster_is_looked_up_by_its_name() -> None:
    """Endpoint, port, engine and the group that its parameters are in."""
    calls = Answers({"DBClusters": [SHOP]})
    cluster = await ClustersClient(calls).cluster(ARN)
    assert calls.made == [("DescribeDBClusters", {"DBClusterIdentifier": "shop"})]
    endpoint = "shop.cluster-c.eu-west-1.docdb.amazonaws.com"
    assert cluster == Cluster("available", "docdb", "5.0.0", endpoint, 27018, "default.docdb5.0")


async def test_a_cluster_that_is_being_created_has_no_endpoint() -> None:
    """What is not there yet is left out of the reply."""
    calls = Answers({"DBClusters": [{"DBClusterArn": str(ARN), "Status": "creating", "Engine": "docdb"}]})
    assert await ClustersClient(calls).cluster(ARN) == Cluster("creating", "docdb", "", None, 27017, None)


@pytest.mark.parametrize("listed", [[], [SHOP | {"DBClusterArn": "arn:aws:rds:eu-west-1:999999999999:cluster:shop"}]])
async def test_another_accounts_cluster_of_the_same_name_is_not_the_one(listed: list[dict[str, Any]]) -> None:
    """A call is answered for the account of the credentials, whatever account the ARN names."""
    with pytest.raises(NotFound, match="no cluster arn:aws:rds:eu-west-1:123456789012:cluster:shop"):
        await ClustersClient(Answers({"DBClusters": listed})).cluster(ARN)


@pytest.mark.parametrize(
    "reply", [{}, {"DBClusters": [{"DBClusterArn": str(ARN), "Engine": "docdb"}]}, {"DBClusters": "shop"}]
)
async def test_a_reply_without_what_it_must_have_is_no_answer(reply: dict[str, Any]) -> None:
    """It is asked for again (docs/design, decision 12)."""
    with pytest.raises(Unavailable):
        await ClustersClient(Answers(reply)).cluster(ARN)


async def test_the_logs_retention_is_found_on_whatever_page_it_is() -> None:
    """Parameters come in pages of a hundred."""
    calls = Answers(
        {"Parameters": [{"ParameterName": "tls", "ParameterValue": "enabled"}, {"ParameterName": "x"}], "Marker": "2"},
        {"Parameters": [{"ParameterName": "change_stream_log_retention_duration", "ParameterValue": "86400"}]},
    )
    assert await ClustersClient(calls).log_retention_seconds("group") == 86400.0
    assert [made[1].get("Marker") for made in calls.made] == [None, "2"]


@pytest.mark.parametrize("value", [None, "", "disabled"])
async def test_a_retention_that_is_no_number_is_not_known(value: str | None) -> None:
    """Nor is one that no page has."""
    parameter = {"ParameterName": "change_stream_log_retention_duration"} | ({"ParameterValue": value} if value else {})
    assert await ClustersClient(Answers({"Parameters": [parameter]})).log_retention_seconds("group") is None
    assert await ClustersClient(Answers({})).log_retention_seconds("group") is None
