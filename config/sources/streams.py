"""What streams share: their mappings' settings, the rules for these, and AWS's words.

Names, defaults and limits are Lambda's (docs/lambda 1.2).
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from config.faults import Finding
from config.options.model import DESTINATION_TYPE, Idle, Model, Refused, Spellings
from config.sources.kind import EventSource, Family, Words
from config.sources.mapping import Mapping
from config.text.nodes import Node, Scalar, describe
from config.text.targets import Target, target_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.options.outcome import Reading

FAMILY = Family("stream", "streams", has_shards=True)
MINIMUM_RECORD_AGE_SECONDS = 60
ON_FAILURE = (Target.QUEUE, Target.TOPIC, Target.BUCKET)
"""What failure records of streams go to (docs/lambda 4.10)."""
_UNSUPPORTED_DESTINATION = "Unsupported DestinationConfig parameter for given event source mapping type."


class OnFailure(Model):
    """Where failure records go."""

    idle: ClassVar[tuple[Idle, ...]] = (DESTINATION_TYPE,)

    destination: Annotated[str | None, Spellings(("destination_arn",))] = Field(
        default=None,
        max_length=350,
        description="ARN of a standard queue, a standard topic or a bucket that discarded batches are reported to",
    )


class DestinationConfig(Model):
    """Destinations of a stream mapping."""

    refused: ClassVar[tuple[Refused, ...]] = (
        Refused(
            ("on_success", "OnSuccess"),
            f"found OnSuccess, expected OnFailure only (AWS: {_UNSUPPORTED_DESTINATION})",
            section=True,
        ),
    )

    on_failure: OnFailure = Field(default=OnFailure(), description="where discarded batches are reported")


class StreamMapping(Mapping):
    """A stream to a function: what every kind of stream takes.

    What only some kinds take, the stream engine asks for by properties, which say here what holds for the others.
    """

    batch_size: int = Field(default=100, ge=1, le=10_000, description="records a batch at most")
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] = Field(
        description="where a stream without checkpoint is read from; AT_TIMESTAMP not on DynamoDB streams"
    )
    starting_position_timestamp: datetime | None = Field(
        default=None,
        description="with AT_TIMESTAMP, the time to start from: ISO 8601 (UTC without offset) or seconds since 1970; not in the "
        "future",
    )
    maximum_record_age_in_seconds: int = Field(
        default=-1, ge=-1, le=604_800, description="older records are discarded; -1: never, otherwise at least 60"
    )
    maximum_retry_attempts: int = Field(
        default=-1, ge=-1, le=10_000, description="retries of a failed batch; -1: until its records expire"
    )
    destination_config: DestinationConfig = Field(
        default=DestinationConfig(), description="where discarded batches are reported"
    )

    def particulars(self) -> Iterator[str]:
        """Where it starts, and where failures go."""
        yield f"from {self.starting_position}"
        if self.on_failure:
            yield f"failures to {self.on_failure}"

    @property
    def on_failure(self) -> str | None:
        """The on-failure destination's ARN, if any."""
        return self.destination_config.on_failure.destination or None

    @property
    def lanes(self) -> int:
        """How many batches of one shard are with the function at a time."""
        return 1

    @property
    def bisects(self) -> bool:
        """Whether a failed batch is split in two."""
        return False

    @property
    def window_length_seconds(self) -> int:
        """The length of tumbling windows; 0: none."""
        return 0

    @property
    def batching_window_seconds(self) -> float:
        """How long a batch is gathered. A kind may have a default that the setting, in whole seconds, cannot say."""
        return float(self.maximum_batching_window_in_seconds or 0)

    @property
    def window_begins_with_first_record(self) -> bool:
        """Whether gathering a batch begins with its first record. If not, when the invocation before has completed."""
        return False


class ShardedStreamMapping(StreamMapping):
    """A stream of many shards, whose records have keys, to a function (Kinesis and DynamoDB Streams)."""

    parallelization_factor: int = Field(
        default=1, ge=1, le=10, description="batches of one shard at a time; order is kept by key"
    )
    bisect_batch_on_function_error: bool = Field(
        default=False, description="split a failed batch in two and retry each half"
    )
    tumbling_window_in_seconds: int = Field(default=0, ge=0, le=900, description="length of tumbling windows; 0: none")

    @property
    def lanes(self) -> int:
        """See ``StreamMapping.lanes``."""
        return self.parallelization_factor

    @property
    def bisects(self) -> bool:
        """See ``StreamMapping.bisects``."""
        return self.bisect_batch_on_function_error

    @property
    def window_length_seconds(self) -> int:
        """See ``StreamMapping.window_length_seconds``."""
        return self.tumbling_window_in_seconds


def starting_position(_source: EventSource, reading: Reading, now: datetime) -> Iterator[Finding]:
    """AT_TIMESTAMP and a time that has passed come together."""
    if not reading.sure("starting_position", "starting_position_timestamp"):
        return
    position = reading.values.get("starting_position")
    moment = reading.values.get("starting_position_timestamp")
    at = ("starting_position_timestamp",)
    if position == "AT_TIMESTAMP" and moment is None:
        yield Finding(("starting_position",), "found AT_TIMESTAMP without starting_position_timestamp, expected both")
    elif position != "AT_TIMESTAMP" and moment is not None:
        yield Finding(at, f"found a time with starting_position {position}, expected it with AT_TIMESTAMP only")
    elif moment is not None and moment > now:
        yield Finding(at, f"found {moment.isoformat()}, which is in the future, expected a time that has passed")


def record_age(_source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    """The maximum age of records is a minute or more, or there is none."""
    age = reading.values.get("maximum_record_age_in_seconds", -1)
    if -1 < age < MINIMUM_RECORD_AGE_SECONDS:
        message = f"found {age}, expected -1 (no limit) or an integer from {MINIMUM_RECORD_AGE_SECONDS} to 604800"
        yield Finding(("maximum_record_age_in_seconds",), message)


def on_failure_destination(_source: EventSource, reading: Reading, _now: datetime) -> Iterator[Finding]:
    """Failure records go to a standard queue, a standard topic or a bucket (docs/lambda 4.10)."""
    config = reading.values.get("destination_config")
    text = config.on_failure.destination if config is not None else None
    problem = target_problem(text, ON_FAILURE, "on-failure destinations") if text else None
    if problem:
        yield Finding(("destination_config", "on_failure", "destination"), problem)


def _invalid_position(node: Node) -> str:
    value = node.text if isinstance(node, Scalar) else describe(node)
    return (
        f"found {describe(node)}, expected one of TRIM_HORIZON, LATEST, AT_TIMESTAMP (AWS: 1 validation error "
        f"detected: Value '{value}' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value "
        "set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON])"
    )


WORDS = Words(
    duplicate='The event source arn (" {source} ") and function (" {function} ") provided mapping already exists.',
    missing={
        "starting_position": "one of TRIM_HORIZON, LATEST, AT_TIMESTAMP (AWS: 1 validation error detected: Value null at "
        "'startingPosition' failed to satisfy constraint: Member must not be null.)"
    },
    invalid={"starting_position": _invalid_position},
    elsewhere={"destination_config": _UNSUPPORTED_DESTINATION},
)
