"""What clients of Lambda's API are shown of a mapping of a change stream: AWS's members, and nothing secret."""

from __future__ import annotations

from typing import Any

from config.models import DocumentDBMapping
from pollers.sources.documentdb.reported import change_stream_settings

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop"
LEAST: dict[str, Any] = {
    "name": "changes",
    "event_source_arn": "arn:aws:rds:us-east-1:000000000000:cluster:shop",
    "function_name": "audit",
    "starting_position": "LATEST",
    "document_db_event_source_config": {"database_name": "shop"},
}


def shown(**settings: object) -> dict[str, Any]:
    """What is shown of the least mapping with these settings."""
    return change_stream_settings(DocumentDBMapping.model_validate(LEAST | settings))


def test_the_least_mapping_is_shown_with_awss_defaults() -> None:
    """As in the guide's example: no window is 0, and full documents are filled in."""
    assert shown() == {
        "StartingPosition": "LATEST",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "DocumentDBEventSourceConfig": {"DatabaseName": "shop", "FullDocument": "Default"},
    }


def test_everything_that_is_set_is_shown() -> None:
    """Headrace's own settings as other streams have them. The secret's ARN is none itself."""
    found = shown(
        starting_position="AT_TIMESTAMP",
        starting_position_timestamp="2026-01-01T00:00:00Z",
        maximum_batching_window_in_seconds=5,
        document_db_event_source_config={
            "database_name": "shop",
            "collection_name": "orders",
            "full_document": "UpdateLookup",
        },
        source_access_configurations=[{"type": "BASIC_AUTH", "uri": SECRET}],
        maximum_retry_attempts=0,
        maximum_record_age_in_seconds=60,
        function_response_types=["ReportBatchItemFailures"],
        destination_config={"on_failure": {"destination": "arn:aws:s3:::failed"}},
    )

    assert found["DocumentDBEventSourceConfig"] == {
        "DatabaseName": "shop",
        "CollectionName": "orders",
        "FullDocument": "UpdateLookup",
    }
    assert found["SourceAccessConfigurations"] == [{"Type": "BASIC_AUTH", "URI": SECRET}]
    assert (found["MaximumBatchingWindowInSeconds"], found["StartingPositionTimestamp"]) == (5, 1767225600.0)
    assert (found["MaximumRetryAttempts"], found["MaximumRecordAgeInSeconds"]) == (0, 60)
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert found["DestinationConfig"] == {"OnFailure": {"Destination": "arn:aws:s3:::failed"}}


def test_a_connection_uri_is_not_shown() -> None:
    """Nor is there anything that it changes."""
    assert shown(connection_uri="mongodb://u:s3cret@db") == shown()
