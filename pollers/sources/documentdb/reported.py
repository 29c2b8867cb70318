"""What clients of Lambda's API are shown of a mapping of this kind. A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from config.models import DocumentDBMapping


def change_stream_settings(mapping: DocumentDBMapping) -> dict[str, Any]:
    """See ``Reported.settings``: as AWS shows them (docs/lambda 1.5). What is Headrace's own is there only where it is set.

    The connection URI is never there: it may have a password.
    """
    watched = mapping.document_db_event_source_config
    settings: dict[str, Any] = {
        "StartingPosition": mapping.starting_position,
        "BatchSize": mapping.batch_size,
        # The default of half a second is shown so: whole seconds cannot say it.
        "MaximumBatchingWindowInSeconds": mapping.maximum_batching_window_in_seconds or 0,
        "DocumentDBEventSourceConfig": {
            "DatabaseName": watched.database_name,
            **({} if watched.collection_name is None else {"CollectionName": watched.collection_name}),
            "FullDocument": watched.full_document,
        },
    }
    if mapping.starting_position_timestamp is not None:
        settings["StartingPositionTimestamp"] = mapping.starting_position_timestamp.timestamp()
    if mapping.source_access_configurations:
        settings["SourceAccessConfigurations"] = [
            {"Type": access.type, "URI": access.uri} for access in mapping.source_access_configurations
        ]
    return settings | _own(mapping)


def _own(mapping: DocumentDBMapping) -> dict[str, Any]:
    """What Lambda does not have for this kind."""
    own = {
        "FunctionResponseTypes": mapping.function_response_types or None,
        "MaximumRecordAgeInSeconds": mapping.maximum_record_age_in_seconds,
        "MaximumRetryAttempts": mapping.maximum_retry_attempts,
        "DestinationConfig": {"OnFailure": {"Destination": mapping.on_failure}} if mapping.on_failure else None,
    }
    return {name: value for name, value in own.items() if value not in (None, -1)}
