"""Whatever a client sends to a control operation, it gets an answer, and what was made can be kept and read again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollers.resources.documents import read, written
from tests.unit.lambda_api.control.rig import ARN, Rig
from tests.worlds import virtual_time
from tests.worlds.seeds import EFFORT

if TYPE_CHECKING:
    from pollers.lambda_api.operations import Operation

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
MAPPING = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:00000000-0000-4000-8000-000000000000"
FOLDER = Path(tempfile.gettempdir()) / "headrace-any-request"
"""Nothing is written there but by a request that is a whole package, which no random one is."""
OPERATIONS = {operation.name: operation for operation in Rig(code_folder=FOLDER).operations}
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 100_000) | st.floats(allow_nan=False) | st.text(max_size=8) | st.sampled_from(
        ["", "NONE", "LATEST", QUEUE, "AWS_IAM", "BUFFERED", "Allow", "GET", "*", ARN, f"{ARN}x", "\x00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def documents(schema: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a JSON Schema
    """Documents with the members of a schema, right and wrong ones."""
    if "properties" not in schema:
        return values | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
    members = {name: documents(inner) for name, inner in schema["properties"].items()}
    return values | st.fixed_dictionaries({}, optional=members)


def bodies(operation: Operation) -> st.SearchStrategy[object]:
    """Documents, and texts that are none."""
    return st.text(max_size=20) | documents(operation.body) if operation.body is not None else st.none()


names = st.sampled_from(
    ["orders", "audit", "nobody", "orders:1", "orders:$LATEST", ARN, f"{ARN}:live", MAPPING]
) | st.text(max_size=12)
queries = st.dictionaries(
    st.sampled_from(["Qualifier", "Marker", "MaxItems", "FunctionVersion", "RevisionId"]),
    st.sampled_from(["", "$LATEST", "1", "live", "ALL", "-1", "999999999999999999999", "bm9uZQ=="])
    | st.text(max_size=6),
    max_size=3,
)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=20 * EFFORT)
@given(data=st.data())
def test_every_request_is_answered(name: str, data: st.DataObject) -> None:
    """With a status of its operation or an error of the API, never with a fault of ours; the state can be read afterwards."""
    operation = OPERATIONS[name]
    rig = Rig(code_folder=FOLDER)
    path = operation.path
    for parameter in ("FunctionName", "Resource", "StatementId", "UUID", "Name", "LayerName"):
        path = path.replace(f"{{{parameter}}}", rig.encoded(data.draw(names)))
    body, query = data.draw(bodies(operation)), data.draw(queries)

    async def ask() -> None:
        await rig.ask(
            "POST", "/2015-03-31/functions/orders/policy", {"StatementId": "s", "Action": "*", "Principal": "*"}
        )
        answer = await rig.ask(operation.method, path, body, **query)
        assert answer.status in (*operation.success, 400, 404, 409, 412)

    virtual_time.run(ask)
    for function in ("orders", "audit"):
        made = rig.resources.made_of(function)
        assert read(written(made)) == made
