"""Mappings: one file for each kind of event source, listed in :mod:`config.sources.registry`.

``kind`` is the form of a declaration, ``mapping`` what all mappings share, ``streams`` what Kinesis and DynamoDB streams share.
``reading`` turns a mapping of a file into a model; ``pasted`` and ``unread`` know what AWS has beside the settings read here.
"""

from config.sources.dynamodb import DynamoDBMapping
from config.sources.kind import SourceConfig
from config.sources.kinesis import KinesisMapping
from config.sources.mapping import Filter, FilterCriteria, Mapping
from config.sources.pasted import READ_ONLY, RESOURCE_TYPE, WITHOUT_EFFECT, unread_settings
from config.sources.reading import NAME, MappingReader
from config.sources.registry import any_of, source_of
from config.sources.sqs import ProvisionedPollerConfig, RetryDelay, ScalingConfig, SqsMapping, Visibility
from config.sources.streams import DestinationConfig, OnFailure, ShardedStreamMapping, StreamMapping

__all__ = [
    "NAME",
    "READ_ONLY",
    "RESOURCE_TYPE",
    "WITHOUT_EFFECT",
    "DestinationConfig",
    "DynamoDBMapping",
    "Filter",
    "FilterCriteria",
    "KinesisMapping",
    "Mapping",
    "MappingReader",
    "OnFailure",
    "ProvisionedPollerConfig",
    "RetryDelay",
    "ScalingConfig",
    "ShardedStreamMapping",
    "SourceConfig",
    "SqsMapping",
    "StreamMapping",
    "Visibility",
    "any_of",
    "source_of",
    "unread_settings",
]
