"""Reserved concurrency and the recursion setting: as they were recorded from AWS."""

from __future__ import annotations

import pytest

from tests.unit.lambda_api.control.rig import ARN, Rig

PUT = "/2017-10-31/functions/orders/concurrency"
GET = "/2019-09-30/functions/orders/concurrency"
RECURSION = "/2024-08-31/functions/orders/recursion-config"
FUNCTION = "/2015-03-31/functions/orders"


async def test_concurrency_is_reserved_shown_and_taken_back() -> None:
    """0 is a reservation; where none is, the document is empty."""
    rig = Rig(concurrency=4)
    assert (await rig.ask("GET", GET)).body == {}
    for reserved in (0, 3):
        answer = await rig.ask("PUT", PUT, {"ReservedConcurrentExecutions": reserved})
        assert (answer.status, answer.body) == (200, {"ReservedConcurrentExecutions": reserved})
        assert (await rig.ask("GET", GET)).body == answer.body
        assert (await rig.ask("GET", FUNCTION)).body["Concurrency"] == answer.body
        assert rig.hosts["orders"].permits.concurrency == reserved
    for _ in range(2):
        assert (await rig.ask("DELETE", PUT)).status == 204
    assert (await rig.ask("GET", GET)).body == {}
    assert "Concurrency" not in (await rig.ask("GET", FUNCTION)).body
    assert rig.hosts["orders"].permits.concurrency == 4


@pytest.mark.parametrize("named", ["orders:1", "orders:$LATEST", f"{ARN}:live".replace(":", "%3A")])
async def test_only_functions_have_reserved_concurrency(named: str) -> None:
    """Versions and aliases have none, in AWS's words."""
    answer = await Rig().ask("PUT", PUT.replace("orders", named), {"ReservedConcurrentExecutions": 1})
    assert (answer.status, answer.type) == (400, "InvalidParameterValueException")
    assert answer.message == (
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please "
        "specify either a function name or an unqualified function ARN."
    )


async def test_an_unknown_function_comes_before_a_wrong_number() -> None:
    """As recorded."""
    for number in (1, -1):
        answer = await Rig().ask("PUT", PUT.replace("orders", "nobody"), {"ReservedConcurrentExecutions": number})
        assert (answer.status, answer.type) == (404, "ResourceNotFoundException")
        assert answer.message == f"Function not found: {ARN.replace('orders', 'nobody')}:$LATEST"


async def test_a_number_is_needed_that_can_be_reserved() -> None:
    """Whatever the function's own concurrency is."""
    rig = Rig(concurrency=2)
    missing = await rig.ask("PUT", PUT, {})
    assert missing.message.endswith(
        "Value null at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must not be null"
    )
    negative = await rig.ask("PUT", PUT, {"ReservedConcurrentExecutions": -1})
    assert negative.message.endswith("Member must have value greater than or equal to 0")
    assert (await rig.ask("PUT", PUT, {"ReservedConcurrentExecutions": 900})).status == 200
    assert rig.hosts["orders"].permits.concurrency == 2


async def test_the_recursion_setting_is_kept() -> None:
    """It is Terminate until somebody says Allow."""
    rig = Rig()
    assert (await rig.ask("GET", RECURSION)).body == {"RecursiveLoop": "Terminate"}
    assert (await rig.ask("PUT", RECURSION, {"RecursiveLoop": "Allow"})).body == {"RecursiveLoop": "Allow"}
    assert (await rig.ask("GET", RECURSION)).body == {"RecursiveLoop": "Allow"}
    assert rig.resources.settings_of("orders").allows_recursion
    wrong = await rig.ask("PUT", RECURSION, {"RecursiveLoop": "Maybe"})
    assert (wrong.type, wrong.status) == ("ValidationException", 400)
    assert (await rig.ask("GET", RECURSION.replace("orders", "nobody"))).status == 404
