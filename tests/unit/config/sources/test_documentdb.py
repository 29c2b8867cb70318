"""Change streams of DocumentDB: what their mappings take, in every spelling, and what is refused about them."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import jsonschema
import pytest

from config.models import DocumentDBMapping
from config.schema import json_schema
from tests.unit.config.conftest import FUNCTION, with_function
from tests.unit.config.sources.examples import KINESIS, STANDARD, settings

if TYPE_CHECKING:
    from config.models import Mapping
    from tests.unit.config.conftest import Folder

CLUSTER = "arn:aws:rds:us-east-1:000000000000:cluster:shop"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop"
WATCHED = "document_db_event_source_config: {database_name: shop, collection_name: orders}"
BASIC = f"source_access_configurations: [{{type: BASIC_AUTH, uri: '{SECRET}'}}]"
REPLY = {
    "UUID": "2b733fdc-8ac3-cdf5-af3a-1827b3b11284",
    "BatchSize": 500,
    "MaximumBatchingWindowInSeconds": 0,
    "EventSourceArn": CLUSTER,
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:orders",
    "LastModified": 1541348195.412,
    "LastProcessingResult": "No records processed",
    "State": "Creating",
    "StateTransitionReason": "User action",
    "StartingPosition": "AT_TIMESTAMP",
    "StartingPositionTimestamp": 1541139109,
    "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": SECRET}],
    "DocumentDBEventSourceConfig": {"DatabaseName": "shop", "CollectionName": "orders", "FullDocument": "Default"},
}
"""As `aws lambda get-event-source-mapping` prints it (docs/lambda 1.5)."""
STATE = {
    "uuid": "2b733fdc-8ac3-cdf5-af3a-1827b3b11284",
    "event_source_arn": CLUSTER,
    "function_name": "arn:aws:lambda:us-east-1:000000000000:function:orders",
    "batch_size": 100,
    "bisect_batch_on_function_error": False,
    "destination_config": [],
    "document_db_event_source_config": [
        {"database_name": "shop", "collection_name": "", "full_document": "UpdateLookup"}
    ],
    "filter_criteria": [],
    "function_response_types": [],
    "maximum_batching_window_in_seconds": 0,
    "maximum_record_age_in_seconds": 0,
    "maximum_retry_attempts": 0,
    "parallelization_factor": 0,
    "scaling_config": [],
    "source_access_configuration": [{"type": "BASIC_AUTH", "uri": SECRET}],
    "starting_position": "LATEST",
    "starting_position_timestamp": "",
    "tumbling_window_in_seconds": 0,
}
"""As Terraform's state has it (docs/lambda 17.5)."""


def mapping(*lines: str, access: str = BASIC, watched: str = WATCHED, position: str = "LATEST") -> str:
    """A mapping of the cluster."""
    start = f"starting_position: {position}"
    return "\n".join([f"event_source_arn: {CLUSTER}", "function_name: orders", start, watched, access, *lines])


def pasted(one: object) -> str:
    """A JSON file with the mapping ``m``."""
    functions = {"orders": {"code": ".", "handler": "app.handler"}}
    return json.dumps({"functions": functions, "event_source_mappings": {"m": one}}, indent=1)


def read(found: Mapping) -> DocumentDBMapping:
    """The mapping as one of this kind."""
    assert isinstance(found, DocumentDBMapping)
    return found


def test_the_documented_mapping_loads(folder: Folder) -> None:
    """With AWS's defaults: 100 events, half a second from the first, and no limit of age and retries."""
    found = read(folder.mapping(mapping()))

    watched = found.document_db_event_source_config
    assert (watched.database_name, watched.collection_name, watched.full_document) == ("shop", "orders", "Default")
    assert (found.secret_arn, found.connection_uri) == (SECRET, None)
    assert (found.batch_size, found.batching_window_seconds) == (100, 0.5)
    assert (found.maximum_retry_attempts, found.maximum_record_age_in_seconds, found.on_failure) == (-1, -1, None)
    assert (found.lanes, found.bisects, found.window_length_seconds) == (1, False, 0)
    assert list(found.particulars()) == ["shop.orders", "from LATEST"]


@pytest.mark.parametrize(("window", "seconds"), [("0", 0.0), ("1", 1.0), ("300", 300.0), ("null", 0.5)])
def test_a_window_that_is_given_counts(folder: Folder, window: str, seconds: float) -> None:
    """Also one of 0, which no default is."""
    found = read(folder.mapping(mapping(f"maximum_batching_window_in_seconds: {window}")))

    assert found.batching_window_seconds == seconds


def test_a_whole_database_is_watched_without_a_collection(folder: Folder) -> None:
    """The same by an empty name, as Terraform's state has it."""
    for watched in ("{database_name: shop}", "{database_name: shop, collection_name: ''}"):
        found = read(folder.mapping(mapping(watched=f"document_db_event_source_config: {watched}")))
        assert found.document_db_event_source_config.collection_name is None
        assert next(found.particulars()) == "shop.*"


def test_what_is_headraces_own_is_taken(folder: Folder) -> None:
    """What Lambda has for other streams only."""
    queue = "arn:aws:sqs:us-east-1:000000000000:failed"
    found = read(
        folder.mapping(
            mapping(
                "maximum_retry_attempts: 0",
                "maximum_record_age_in_seconds: 60",
                "function_response_types: [ReportBatchItemFailures]",
                f"destination_config: {{on_failure: {{destination: '{queue}'}}}}",
            )
        )
    )

    assert (found.maximum_retry_attempts, found.maximum_record_age_in_seconds) == (0, 60)
    assert (found.on_failure, found.reports_batch_item_failures) == (queue, True)


@pytest.mark.parametrize("uri", ["", "mongodb://u:s3cret@db:27017/?replicaSet=rs0"])
def test_a_connection_uri_comes_from_the_environment(folder: Folder, uri: str) -> None:
    """Empty, it is not given. It is a secret: nothing that prints a mapping shows it."""
    folder.environ["MONGO_URI"] = uri
    loaded = folder.load(with_function(mapping("connection_uri: ${MONGO_URI:-}")))

    found = read(loaded.config.event_source_mappings["m"])
    assert found.connection_uri == (uri or None)
    assert "s3cret" not in repr(loaded) + str(found) + " ".join(found.particulars())


@pytest.mark.parametrize(
    ("uri", "secret"),
    [
        (None, True),
        ("mongodb://localhost:27017", False),
        ("mongodb://u:p@db/?authSource=admin", False),
        ("mongodb://localhost:27017/?tls=true&authSource=admin", True),
        ("mongodb://localhost:27017/shop?AUTHSOURCE=admin", True),
        ("mongodb://localhost:27017/?authMechanism=MONGODB-X509&authSource=$external", False),
        ("mongodb://localhost:27017/?appName=authSource", False),
    ],
)
def test_a_connection_uri_is_in_place_of_the_secret(folder: Folder, uri: str | None, secret: bool) -> None:
    """So that a server without users can be read on a laptop. One that has users, and names none, leaves them to the secret."""
    given = [] if uri is None else [f"connection_uri: '{uri}'"]

    assert read(folder.mapping(mapping(*given))).secret_arn == (SECRET if secret else None)


def test_a_faulty_connection_uri_is_not_shown(folder: Folder) -> None:
    """Its password may be the part that is wrong."""
    (fault,) = folder.mapping_faults(mapping("connection_uri: mongodb://u:s3@cret@db"))

    assert fault == (
        "connection_uri: found a value that is not shown, expected a MongoDB connection URI (mongodb://HOST:PORT/ or "
        "mongodb+srv://HOST/)"
    )


@pytest.mark.parametrize(
    ("access", "aws"),
    [
        (BASIC, ""),
        ("connection_uri: mongodb://db", ""),
        (f"{BASIC}\nconnection_uri: mongodb://db", ""),
        ("", "aws: {endpoint_urls: {documentdb: 'mongodb://db'}}\n"),
    ],
)
def test_there_are_three_ways_into_a_cluster(folder: Folder, access: str, aws: str) -> None:
    """Its secret, a URI of the mapping's own, and one for every cluster."""
    config = folder.load(aws + with_function(mapping(access=access))).config

    found = read(config.event_source_mappings["m"])
    assert (found.secret_arn, found.connection_uri) != (None, None)


@pytest.mark.parametrize(
    ("access", "fault"),
    [
        (
            "",
            "source_access_configurations is missing, expected the secret of the cluster's user, as BASIC_AUTH, or connection_uri "
            "(AWS SAM: No SourceAccessConfigurations for Amazon DocumentDB event provided.)",
        ),
        ("source_access_configurations: []", "source_access_configurations is missing, expected the secret"),
        (
            f"source_access_configurations: [{{type: BASIC_AUTH, uri: '{SECRET}'}}, {{type: BASIC_AUTH, uri: '{SECRET}'}}]",
            "source_access_configurations: found 2 of them, expected one (AWS SAM: Multiple BASIC_AUTH properties specified in "
            "SourceAccessConfigurations.)",
        ),
        (
            "source_access_configurations: [{type: BASIC_AUTH}]",
            "source_access_configurations[0]: uri is missing, expected a secret's ARN (AWS SAM: No BASIC_AUTH URI property "
            "specified in SourceAccessConfigurations.)",
        ),
        (
            f"source_access_configurations: [{{type: VPC_SUBNET, uri: '{SECRET}'}}]",
            "source_access_configurations[0].type: found 'VPC_SUBNET', expected BASIC_AUTH (AWS SAM: Invalid property Type "
            "specified in SourceAccessConfigurations. The supported values are: ['BASIC_AUTH'].)",
        ),
        (
            f"source_access_configurations: [{{type: BASIC_AUTH, uri: '{STANDARD}'}}]",
            f"source_access_configurations[0].uri: found '{STANDARD}', expected a secret's ARN, ",
        ),
        (
            "source_access_configurations: [{type: BASIC_AUTH, uri: shop}]",
            "source_access_configurations[0].uri: found 'shop', expected an ARN",
        ),
        ("source_access_configurations: shop", "source_access_configurations: found 'shop', expected a list, each"),
    ],
)
def test_a_cluster_lets_one_user_in(folder: Folder, access: str, fault: str) -> None:
    """Whose secret is named; each fault once."""
    (found,) = folder.mapping_faults(mapping(access=access))

    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("watched", "fault"),
    [
        (
            "",
            "document_db_event_source_config is missing, expected a mapping of database_name, and of collection_name for one "
            "collection",
        ),
        (
            "document_db_event_source_config: {}",
            "document_db_event_source_config: database_name is missing, expected text of 1 to 63 characters",
        ),
        (
            "document_db_event_source_config: {database_name: ''}",
            "document_db_event_source_config.database_name: found ''",
        ),
        *(
            (
                f"document_db_event_source_config: {{database_name: {json.dumps(name)}}}",
                "document_db_event_source_config.database_name: found",
            )
            for name in ("a b", "a/b", "a\\b", "a.b", "a$b", 'a"b', "x" * 64)
        ),
        *(
            (
                f"document_db_event_source_config: {{database_name: d, collection_name: {json.dumps(name)}}}",
                "document_db_event_source_config.collection_name: found",
            )
            for name in ("system.users", "a$b", "-a", ".a", "x" * 58)
        ),
        (
            "document_db_event_source_config: {database_name: d, full_document: WhenAvailable}",
            "document_db_event_source_config.full_document: found 'WhenAvailable', expected one of Default, UpdateLookup",
        ),
    ],
)
def test_what_is_watched_has_the_names_that_the_api_takes(folder: Folder, watched: str, fault: str) -> None:
    """Limits and characters are the model's."""
    (found,) = folder.mapping_faults(mapping(watched=watched))

    assert found.startswith(fault)


@pytest.mark.parametrize("name", ["orders", "_orders", "9", "orders.archive", "systems", "x" * 57])
def test_names_of_collections_that_the_api_takes_are_taken(folder: Folder, name: str) -> None:
    """A dot within is usual."""
    watched = f"document_db_event_source_config: {{database_name: d, collection_name: '{name}'}}"
    found = read(folder.mapping(mapping(watched=watched)))

    assert found.document_db_event_source_config.collection_name == name


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (line, f"{line.partition(':')[0]}: found a setting of {owners} on a DocumentDB cluster, expected it on a")
        for line, owners in (
            ("parallelization_factor: 2", "streams"),
            ("bisect_batch_on_function_error: true", "streams"),
            ("tumbling_window_in_seconds: 30", "streams"),
            ("scaling_config: {maximum_concurrency: 2}", "queues"),
            ("provisioned_poller_config: {minimum_pollers: 2}", "queues"),
            ("visibility: {long_poll_seconds: 5}", "queues"),
            ("filter_criteria: {filters: [{pattern: {a: [1]}}]}", "queues and streams"),
            ("FilterCriteria: {Filters: [{Pattern: '{}'}]}", "queues and streams"),
        )
    ],
)
def test_what_change_streams_do_not_have_is_refused(folder: Folder, line: str, fault: str) -> None:
    """With the sources that have it."""
    (found,) = folder.mapping_faults(mapping(line))

    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("position", "lines", "fault"),
    [
        (
            "AT_TIMESTAMP",
            (),
            "starting_position: found AT_TIMESTAMP without starting_position_timestamp, expected both",
        ),
        ("AT_TIMESTAMP", ("starting_position_timestamp: 2099-01-01",), "starting_position_timestamp: found 2099"),
        ("LATEST", ("starting_position_timestamp: 2020-01-01",), "starting_position_timestamp: found a time with"),
        ("null", (), "starting_position is missing, expected one of TRIM_HORIZON, LATEST, AT_TIMESTAMP"),
        (
            "NOW",
            (),
            "starting_position: found 'NOW', expected one of TRIM_HORIZON, LATEST, AT_TIMESTAMP (AWS: 1 validation",
        ),
        ("LATEST", ("maximum_record_age_in_seconds: 0",), "maximum_record_age_in_seconds: found 0, expected -1"),
        ("LATEST", ("batch_size: 10001",), "batch_size: found 10001, expected an integer from 1 to 10000"),
    ],
)
def test_rules_of_streams_hold(folder: Folder, position: str, lines: tuple[str, ...], fault: str) -> None:
    """As for Kinesis, which has all three positions, too."""
    (found,) = folder.mapping_faults(mapping(*lines, position=position))

    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("arn", "fault"),
    [
        (
            "arn:aws:rds:us-east-1:000000000000:db:shop-1",
            "expected a cluster's ARN, arn:aws:rds:REGION:ACCOUNT:cluster:NAME",
        ),
        ("arn:aws:rds::000000000000:global-cluster:shop", "NAME: of a global cluster, the cluster of one region"),
        (
            "arn:aws:docdb-elastic:us-east-1:000000000000:cluster/a-b",
            "found a DocumentDB elastic cluster, which Lambda does not read either",
        ),
        ("arn:aws:rds:us-east-1:12:cluster:shop", "found the account '12'"),
    ],
)
def test_other_clusters_are_no_source(folder: Folder, arn: str, fault: str) -> None:
    """With what would be right."""
    (found,) = folder.mapping_faults(mapping().replace(CLUSTER, arn))

    assert fault in found


def test_all_faults_are_told_at_once_with_their_lines(folder: Folder) -> None:
    """Those of settings, of what is inside them, and of rules."""
    faults = folder.faults(
        FUNCTION
        + f"""\
event_source_mappings:
  changes:
    event_source_arn: {CLUSTER}
    function_name: orders
    starting_position: AT_TIMESTAMP
    document_db_event_source_config:
      database_name: a b
      collection_name: system.users
      full_document: all
    tumbling_window_in_seconds: 5
    batch_size: 0
"""
    )

    assert [
        fault.split(": ")[0] + " " + fault.split(": ")[1].removeprefix("event_source_mappings.changes")
        for fault in faults
    ] == [
        "headrace.yaml:4 ",
        "headrace.yaml:7 .starting_position",
        "headrace.yaml:9 .document_db_event_source_config.database_name",
        "headrace.yaml:10 .document_db_event_source_config.collection_name",
        "headrace.yaml:11 .document_db_event_source_config.full_document",
        "headrace.yaml:12 .tumbling_window_in_seconds",
        "headrace.yaml:13 .batch_size",
    ]


def test_what_the_cli_prints_is_taken(folder: Folder) -> None:
    """A window of 0 is how it tells the default of half a second."""
    loaded = folder.load(pasted(REPLY), "headrace.json")

    found = read(loaded.config.event_source_mappings["m"])
    assert (found.function_name, found.batch_size, found.batching_window_seconds) == ("orders", 500, 0.5)
    assert found.secret_arn == SECRET
    assert [note.message for note in loaded.notes if "ignored what AWS reports" in note.message]


def test_a_list_of_mappings_is_taken(folder: Folder) -> None:
    """Each is called by its UUID."""
    functions = {"orders": {"code": ".", "handler": "app.handler"}}
    text = json.dumps({"functions": functions, "EventSourceMappings": [REPLY]})
    mappings = folder.load(text, "headrace.json").config.event_source_mappings

    assert read(mappings[str(REPLY["UUID"])]).batching_window_seconds == 0.5


def test_what_terraforms_state_has_is_taken(folder: Folder) -> None:
    """Its zeros set nothing: no retries at all would lose events that Lambda tries again until they leave the log."""
    found = read(folder.load(pasted(STATE), "headrace.json").config.event_source_mappings["m"])

    assert (found.maximum_retry_attempts, found.maximum_record_age_in_seconds) == (-1, -1)
    assert (found.batching_window_seconds, found.secret_arn) == (0.5, SECRET)
    watched = found.document_db_event_source_config
    assert (watched.collection_name, watched.full_document) == (None, "UpdateLookup")


def test_a_resource_of_a_template_is_taken(folder: Folder) -> None:
    """With values in quotes; what it says of retries, it means."""
    properties = {
        key: REPLY[key] for key in REPLY if key not in ("UUID", "FunctionArn") and not key.startswith(("Last", "State"))
    }
    properties |= {"FunctionName": "orders", "BatchSize": "7", "MaximumBatchingWindowInSeconds": "0"}
    resource = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}
    found = read(folder.load(pasted(resource), "headrace.json").config.event_source_mappings["m"])

    assert (found.batch_size, found.batching_window_seconds) == (7, 0.0)


@pytest.mark.parametrize("one", [REPLY, STATE], ids=["reply", "state"])
def test_the_schema_takes_what_is_pasted(one: dict[str, object]) -> None:
    """Editors do not mark what loads."""
    jsonschema.Draft202012Validator(json_schema()).validate({"event_source_mappings": {"m": one}})


@pytest.mark.parametrize(
    "change",
    [
        {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}},
        {"ParallelizationFactor": 2},
        {"DocumentDBEventSourceConfig": None},
        {"EventSourceArn": KINESIS},
        {"connection_uri": "http://db"},
    ],
)
def test_the_schema_refuses_what_is_refused(change: dict[str, object]) -> None:
    """As far as it depends on nothing else."""
    changed = {key: value for key, value in (REPLY | change).items() if value is not None}

    assert not jsonschema.Draft202012Validator(json_schema()).is_valid({"event_source_mappings": {"m": changed}})


def test_two_mappings_may_read_different_collections(folder: Folder) -> None:
    """Of one cluster for one function. The same collection twice is a duplicate."""

    def two(collection: str) -> str:
        other = mapping(watched=WATCHED.replace("orders", collection))
        return with_function(mapping()) + "  n:\n" + textwrap.indent(other, "    ") + "\n"

    assert len(folder.load(two("stock")).config.event_source_mappings) == 2
    (fault,) = folder.faults(two("orders"))
    assert "found the source and the function of the mapping m " in fault


@pytest.mark.parametrize(
    ("arn", "line", "fault"),
    [
        (
            STANDARD,
            WATCHED,
            "document_db_event_source_config: found a setting of DocumentDB clusters on an SQS standard queue",
        ),
        (KINESIS, BASIC, "source_access_configurations: found a setting of DocumentDB clusters on a Kinesis stream"),
        (
            KINESIS,
            "connection_uri: mongodb://db",
            "connection_uri: found a setting of DocumentDB clusters on a Kinesis stream",
        ),
    ],
)
def test_other_sources_refuse_its_settings(folder: Folder, arn: str, line: str, fault: str) -> None:
    """And say whose they are."""
    (found,) = folder.mapping_faults(settings(arn, line))

    assert found.startswith(fault)
