"""A kind of source that is neither a queue nor a stream needs its declaration and a line in the registry, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import jsonschema
import pytest
from pydantic import Field

from config.options.model import Model, TextKind
from config.reference import option_table
from config.schema import json_schema
from config.sources import registry
from config.sources.kind import ArnForm, Family, SourceConfig, Words
from config.sources.mapping import Mapping
from config.sources.unread import UNREAD
from tests.unit.config.sources.examples import KINESIS, STANDARD, settings

if TYPE_CHECKING:
    from tests.unit.config.conftest import Folder

SERVICE = UNREAD[-1].services[0]
"""It is read as soon as a declaration has it."""
LEDGER = f"arn:aws:{SERVICE}:us-east-1:000000000000:ledger:shop"


class Collection(Model):
    """What is watched."""

    database_name: str = Field(description="the database")


class LedgerMapping(Mapping):
    """A ledger's change stream to a function."""

    kind: ClassVar[str] = "ledger"

    batch_size: int = Field(default=100, ge=1, le=10_000, description="changes a batch at most")
    starting_position: Literal["TRIM_HORIZON", "LATEST"] = Field(description="where to begin")
    watched_collection: Collection = Field(description="what is watched")
    connection_uri: Annotated[str, TextKind.SECRET] | None = Field(
        default=None, description="in place of the ledger's endpoint"
    )


LEDGERS = SourceConfig(
    model=LedgerMapping,
    family=Family("ledger", "ledgers"),
    called="a ledger of bookings",
    forms=(ArnForm("a ledger of bookings", SERVICE, re.compile(r"ledger:[a-z0-9-]+"), LEDGER),),
    expected=lambda _arn: f"a ledger's ARN, arn:aws:{SERVICE}:REGION:ACCOUNT:ledger:NAME",
    rules=(),
    words=Words(duplicate="{source} and {function} have a mapping.", missing={"starting_position": "one of two"}),
)

MAPPING = f"""\
event_source_arn: {LEDGER}
function_name: orders
starting_position: LATEST
WatchedCollection: {{DatabaseName: shop}}
"""


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "KINDS", (*registry.KINDS, LEDGERS))


def test_its_mapping_loads(folder: Folder) -> None:
    """As its own model, beside the other kinds."""
    mapping = folder.mapping(MAPPING)

    assert isinstance(mapping, LedgerMapping)
    assert mapping.watched_collection.database_name == "shop"
    assert mapping.model_dump()["starting_position"] == "LATEST"


def test_it_does_not_take_what_streams_take(folder: Folder) -> None:
    """Although it has a starting position, as they have."""
    faults = folder.mapping_faults(f"{MAPPING}bisect_batch_on_function_error: true\nparallelization_factor: 2")

    assert [fault.partition(": ")[2] for fault in faults] == [
        "found a setting of streams on a ledger of bookings, expected it on a stream only"
    ] * 2


def test_what_it_must_have_is_asked_for(folder: Folder) -> None:
    """In its own words where it has some."""
    faults = folder.mapping_faults(f"event_source_arn: {LEDGER}\nfunction_name: orders")

    assert faults == [
        "starting_position is missing, expected one of two",
        "watched_collection is missing, expected a mapping of database_name",
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            "watched_collection: {database_name: shop}",
            "found a setting of ledgers on an SQS standard queue, expected it on a ledger only",
        ),
        (
            "starting_position: LATEST",
            "found a setting of streams and ledgers on an SQS standard queue, expected it on a stream or a ledger only",
        ),
        (
            "topics: [t]",
            f"found topics, which belongs to a {registry.any_of(kind.name for kind in UNREAD[:-1])} source, expected a queue, a "
            "stream or a ledger: these are not read",
        ),
    ],
)
def test_other_kinds_refuse_its_settings(folder: Folder, line: str, fault: str) -> None:
    """And name the kinds that take them; what no kind takes is still named for what it is."""
    (found,) = folder.mapping_faults(settings(STANDARD, line))

    assert found.partition(": ")[2] == fault


def test_lists_of_all_kinds_name_it(folder: Folder) -> None:
    """When no kind is recognised."""
    (fault,) = folder.mapping_faults("event_source_arn: shop\nfunction_name: orders")

    assert fault.endswith(f"{registry.KINDS[-2].called} or a ledger of bookings")


def test_the_schema_knows_it() -> None:
    """It takes what the loader takes and refuses what it refuses."""
    validator = jsonschema.Draft202012Validator(json_schema())
    mapping = {
        "event_source_arn": LEDGER,
        "function_name": "orders",
        "starting_position": "LATEST",
        "watched_collection": {"database_name": "shop"},
    }

    def valid(**changes: object) -> bool:
        changed = {name: value for name, value in (mapping | changes).items() if value is not None}
        return bool(validator.is_valid({"event_source_mappings": {"m": changed}}))

    assert valid()
    assert not valid(watched_collection=None)
    assert not valid(parallelization_factor=2)
    assert not valid(event_source_arn=KINESIS)


def test_the_table_of_options_has_its_settings() -> None:
    """Each with the families that take it."""
    table = option_table()

    assert "| `connection_uri` | text |  |  | ledgers | in place of the ledger's endpoint |" in table
    assert "| `parallelization_factor` | integer | `1` | 1 to 10 | streams | batches of one shard at a time" in table
