"""A kind of source that is neither a queue nor a stream needs its declaration and a line in the registry, and nothing else."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import jsonschema
import pytest
from pydantic import Field

from config.faults import Finding
from config.options.model import Model, TextKind
from config.reference import option_table
from config.schema import json_schema
from config.sources import registry
from config.sources.kind import ArnForm, Family, SourceConfig, Words
from config.sources.mapping import Mapping
from config.sources.unread import UNREAD
from tests.unit.config.conftest import with_function
from tests.unit.config.sources.examples import KINESIS, STANDARD, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading
    from config.sources.kind import Endpoints
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
    maximum_record_age_in_seconds: int = Field(default=-1, ge=-1, description="older changes are discarded")
    connection_uri: Annotated[str, TextKind.CONNECTION_URI] | None = Field(
        default=None, repr=False, description="in place of the ledger's endpoint"
    )


def _reachable(reading: Reading, aws: Reading) -> Iterator[Finding]:
    """It needs a URI, its own or that of the ``aws`` section."""
    urls = aws.best("endpoint_urls")
    if "connection_uri" not in reading.given and getattr(urls, "documentdb", None) is None:
        yield Finding((), "connection_uri is missing, expected one")


def _located(mapping: LedgerMapping, endpoints: Endpoints) -> LedgerMapping:
    return mapping.model_copy(update={"connection_uri": mapping.connection_uri or endpoints.documentdb})


LEDGERS = SourceConfig(
    model=LedgerMapping,
    family=Family("ledger", "ledgers"),
    called="a ledger of bookings",
    forms=(ArnForm("a ledger of bookings", SERVICE, re.compile(r"ledger:[a-z0-9-]+"), LEDGER),),
    expected=lambda _arn: f"a ledger's ARN, arn:aws:{SERVICE}:REGION:ACCOUNT:ledger:NAME",
    rules=(),
    words=Words(
        duplicate="{source} and {function} have a mapping.",
        missing={"starting_position": "one of two", "database_name": "the name of a database"},
    ),
    surrounded=(_reachable,),
    without=frozenset({"filter_criteria"}),
    silent=frozenset({"maximum_batching_window_in_seconds", "maximum_record_age_in_seconds"}),
    part=("watched_collection", lambda watched: getattr(watched, "database_name", None)),
    located=_located,
    longest_timeout_seconds=60,
)

MAPPING = f"""\
event_source_arn: {LEDGER}
function_name: orders
starting_position: LATEST
WatchedCollection: {{DatabaseName: shop}}
ConnectionUri: mongodb://u:s3cret@ledger/
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
    faults = folder.mapping_faults(f"event_source_arn: {LEDGER}\nfunction_name: orders\nconnection_uri: mongodb://a")
    inside = folder.mapping_faults(MAPPING.replace("DatabaseName: shop", ""))

    assert faults == [
        "starting_position is missing, expected one of two",
        "watched_collection is missing, expected a mapping of database_name",
    ]
    assert inside == ["WatchedCollection: database_name is missing, expected the name of a database"]


def test_it_goes_without_what_all_models_have(folder: Folder) -> None:
    """The kinds that take it are named."""
    (fault,) = folder.mapping_faults(f"{MAPPING}filter_criteria: {{filters: [{{pattern: {{a: [1]}}}}]}}")

    assert fault == (
        "filter_criteria: found a setting of queues and streams on a ledger of bookings, expected it on a queue or a stream only"
    )


@pytest.mark.parametrize("window", ["", "maximum_batching_window_in_seconds: 0"])
def test_zeros_of_a_report_say_nothing_where_the_kind_says_so(folder: Folder, window: str) -> None:
    """What AWS and Terraform report has a UUID; what a user writes has none."""
    written = folder.mapping(f"{MAPPING}maximum_record_age_in_seconds: 0\n{window}")
    reported = folder.mapping(f"{MAPPING}uuid: a-b\nMaximumRecordAgeInSeconds: 0\n{window}")
    told = folder.mapping(f"{MAPPING}uuid: a-b\nMaximumRecordAgeInSeconds: 60\n{window}")

    given = {"maximum_batching_window_in_seconds"} if window else set()
    assert written.model_fields_set >= {"maximum_record_age_in_seconds", *given}
    assert not reported.model_fields_set & {"maximum_record_age_in_seconds", "maximum_batching_window_in_seconds"}
    assert "maximum_record_age_in_seconds" in told.model_fields_set


def test_two_mappings_of_one_source_read_different_parts(folder: Folder) -> None:
    """The same part is a duplicate, whatever else differs."""

    def two(database: str) -> str:
        other = MAPPING.replace("shop}", f"{database}}}").replace("LATEST", "TRIM_HORIZON")
        return with_function(MAPPING) + "  n:\n" + textwrap.indent(other, "    ")

    assert set(folder.load(two("stock")).config.event_source_mappings) == {"m", "n"}
    (fault,) = folder.faults(two("shop"))
    assert f"(AWS: {LEDGER} and orders have a mapping.)" in fault


@pytest.mark.parametrize("aws", ["", "aws: {region: us-east-1}\n", "aws: {endpoint_url: 5}\n"])
def test_what_it_needs_of_the_aws_section_is_asked_for(folder: Folder, aws: str) -> None:
    """Also where that section, or the mapping, has other faults."""
    mapping = MAPPING.replace("ConnectionUri: mongodb://u:s3cret@ledger/\n", "")
    for text in (mapping, f"{mapping}batch_size: 0"):
        found = folder.faults(aws + with_function(text))
        assert [fault.split(": ", 1)[1] for fault in found if "connection_uri" in fault] == [
            "event_source_mappings.m: connection_uri is missing, expected one"
        ]


def test_the_aws_section_says_where_it_is(folder: Folder) -> None:
    """What the mapping says itself counts first; neither is shown."""
    text = "aws: {endpoint_urls: {documentdb: 'mongodb://all:s3cret@a/'}}\n"
    own = folder.load(text + with_function(MAPPING)).config
    other = folder.load(text + with_function(MAPPING.replace("ConnectionUri: mongodb://u:s3cret@ledger/\n", ""))).config

    found = [config.event_source_mappings["m"] for config in (own, other)]
    assert [mapping.connection_uri for mapping in found if isinstance(mapping, LedgerMapping)] == [
        "mongodb://u:s3cret@ledger/",
        "mongodb://all:s3cret@a/",
    ]
    assert "s3cret" not in repr((own, other))


@pytest.mark.parametrize(("timeout", "said"), [(60, False), (61, True)])
def test_a_function_that_may_run_longer_than_on_lambda_is_noted(folder: Folder, timeout: int, said: bool) -> None:
    """It is no fault: nothing here limits it."""
    loaded = folder.load(with_function(MAPPING).replace("handler: ", f"timeout: {timeout}, handler: "))

    notes = [note for note in loaded.notes if note.path == "functions.orders.timeout"]
    assert [note.message for note in notes] == (
        ["Lambda allows 60 s to a function of a mapping such as m, and Headrace any time"] if said else []
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            "watched_collection: {database_name: shop}",
            "found a setting of ledgers on an SQS standard queue, expected it on a ledger only",
        ),
        (
            "starting_position: LATEST",
            "found a setting of streams, DocumentDB clusters and ledgers on an SQS standard queue, expected it on a stream, a "
            "DocumentDB cluster or a ledger only",
        ),
        (
            "topics: [t]",
            f"found topics, which belongs to a {registry.any_of(kind.name for kind in UNREAD[:-1])} source, expected a queue, a "
            "stream, a DocumentDB cluster or a ledger: these are not read",
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

    assert "| `watched_collection.database_name` | text | required |  | ledgers | the database |" in table
    assert "ledgers: in place of the ledger's endpoint |" in table
    assert "| `parallelization_factor` | integer | `1` | 1 to 10 | streams | batches of one shard at a time" in table
