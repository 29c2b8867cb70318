"""What event source mappings have on AWS and are not read here, so that a fault can say so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnreadKind:
    """A kind of source that Lambda reads and Headrace does not.

    ``services`` are those of its ARNs, ``called`` is what faults call such a source, with its article, and ``settings`` are the
    settings that only such mappings have, in every spelling.
    """

    name: str
    called: str
    services: tuple[str, ...]
    settings: tuple[str, ...]


_ACCESS = ("source_access_configurations", "SourceAccessConfigurations", "source_access_configuration")

UNREAD = (
    UnreadKind(
        "Kafka",
        "an Amazon MSK (Kafka) source",
        ("kafka",),
        (
            *_ACCESS,
            *("topics", "Topics", "self_managed_event_source", "SelfManagedEventSource"),
            *("amazon_managed_kafka_event_source_config", "AmazonManagedKafkaEventSourceConfig"),
            *("self_managed_kafka_event_source_config", "SelfManagedKafkaEventSourceConfig"),
        ),
    ),
    UnreadKind("Amazon MQ", "an Amazon MQ broker", ("mq",), (*_ACCESS, "queues", "Queues")),
)

NO_SOURCES = {
    "docdb-elastic": "a DocumentDB elastic cluster, which Lambda does not read either",
    "events": "an EventBridge bus",
    "sns": "an SNS topic, which Lambda has no event source mapping for (subscribe a queue to it)",
    "s3": "an S3 bucket, which Lambda has no event source mapping for (let it notify a queue)",
}
"""What is called by the ARNs of services that no event source mapping reads."""
