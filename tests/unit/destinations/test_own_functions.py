"""Functions that run here as destinations."""

from __future__ import annotations

import pytest

from pollers.destinations import QueuedFunctions

REGION, ACCOUNT = "us-east-1", "000000000000"


def arn_of(name: str) -> str:
    """As the functions of this configuration are known."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


class Queue:
    """Notes what it accepts."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str, bytes, str]] = []

    async def accept(self, function: str, event: bytes, *, request_id: str, beyond_limit: bool) -> bool:
        assert beyond_limit
        self.accepted.append((function, event, request_id))
        return True


@pytest.mark.parametrize("arn", [arn_of("audit"), arn_of("audit") + ":$LATEST"])
def test_a_function_is_ours_by_its_own_arn(arn: str) -> None:
    """Plain, or with the one version that there is."""
    assert QueuedFunctions({"audit": 1}, arn_of, Queue).has(arn)


@pytest.mark.parametrize(
    "arn",
    [
        arn_of("other"),
        arn_of("audit") + ":7",
        arn_of("audit") + ":live",
        arn_of("audit").replace(REGION, "eu-west-1"),
        arn_of("audit").replace(ACCOUNT, "111111111111"),
        "arn:aws:sqs:us-east-1:000000000000:audit",
        "",
    ],
)
def test_any_other_is_elsewhere(arn: str) -> None:
    """Another name, version, alias, region, account or service."""
    assert not QueuedFunctions({"audit": 1}, arn_of, Queue).has(arn)


async def test_a_report_that_comes_again_has_the_same_request_id() -> None:
    """So the queue knows it; another report and another function have others."""
    queue = Queue()
    functions = QueuedFunctions({"audit": 1, "more": 1}, arn_of, lambda: queue)
    for arn, event in [
        (arn_of("audit"), b"1"),
        (arn_of("audit"), b"1"),
        (arn_of("audit"), b"2"),
        (arn_of("more"), b"1"),
    ]:
        await functions.accept(arn, event)
    assert [function for function, _, _ in queue.accepted] == ["audit", "audit", "audit", "more"]
    first, again, other, elsewhere = (request_id for _, _, request_id in queue.accepted)
    assert first == again
    assert len({first, other, elsewhere}) == 3
