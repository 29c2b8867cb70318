"""DocumentDB's clusters, as RDS's API describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Required, TypedDict

from pollers.aws.errors import NotFound
from pollers.aws.wire.replies import Name, Replies, checked

if TYPE_CHECKING:
    from config import Arn
    from pollers.aws.api import RepliedCalls

RETENTION_PARAMETER = "change_stream_log_retention_duration"
PORT = 27017


class _Described(TypedDict, total=False):
    DBClusterArn: Required[Name]
    Status: Required[Name]
    Engine: Required[Name]
    EngineVersion: str | None
    Endpoint: str | None
    Port: int | None
    DBClusterParameterGroup: str | None


class _Found(TypedDict, total=False):
    DBClusters: Required[list[_Described]]


class _Parameter(TypedDict, total=False):
    ParameterName: str | None
    ParameterValue: str | None


class _ParameterPage(TypedDict, total=False):
    Parameters: list[_Parameter] | None
    Marker: str | None


REPLIES: Final[Replies] = {"DescribeDBClusters": _Found, "DescribeDBClusterParameters": _ParameterPage}
"""It answers in XML, which the SDK reads."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster. ``endpoint`` None: it has none (yet). ``engine`` is ``docdb`` for DocumentDB."""

    status: str
    engine: str
    engine_version: str
    endpoint: str | None
    port: int
    parameter_group: str | None


class ClustersApi(Protocol):
    """RDS's API in one region, at one endpoint, as far as clusters are looked up."""

    async def cluster(self, arn: Arn) -> Cluster:
        """The cluster with this ARN (DescribeDBClusters). Raises NotFound also for another account's of the same name."""

    async def log_retention_seconds(self, parameter_group: str) -> float | None:
        """How long the clusters of this group keep change events; None when its parameters do not say."""


class ClustersClient:
    """Implements :class:`ClustersApi`."""

    def __init__(self, calls: RepliedCalls) -> None:
        self._calls = calls

    async def cluster(self, arn: Arn) -> Cluster:
        """See :class:`ClustersApi`."""
        operation = "DescribeDBClusters"
        name = arn.resource.removeprefix("cluster:")
        reply = await self._calls.reply(operation, {"DBClusterIdentifier": name})
        listed = checked(reply, REPLIES, operation)["DBClusters"]
        found = next((one for one in listed if one["DBClusterArn"] == str(arn)), None)
        if found is None:
            others = f"; there is {listed[0]['DBClusterArn']}" if listed else ""
            raise NotFound("DBClusterNotFoundFault", f"no cluster {arn}{others}", operation=operation)
        return Cluster(
            found["Status"],
            found["Engine"],
            found.get("EngineVersion") or "",
            found.get("Endpoint") or None,
            found.get("Port") or PORT,
            found.get("DBClusterParameterGroup") or None,
        )

    async def log_retention_seconds(self, parameter_group: str) -> float | None:
        """See :class:`ClustersApi`."""
        operation = "DescribeDBClusterParameters"
        parameters = {"DBClusterParameterGroupName": parameter_group}
        while True:
            reply = checked(await self._calls.reply(operation, parameters), REPLIES, operation)
            for one in reply.get("Parameters") or ():
                if one.get("ParameterName") == RETENTION_PARAMETER:
                    return _seconds(one.get("ParameterValue"))
            if not reply.get("Marker"):
                return None
            parameters["Marker"] = reply["Marker"]


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isascii() and value.isdigit() else None
