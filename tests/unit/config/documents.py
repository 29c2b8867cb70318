"""Any document, and documents that are nearly configurations, for properties; and loading them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st

from config import ConfigError, Loaded, load
from config.schedules.reading import schedule_options
from config.sources import registry
from tests.unit.config.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(tempfile.mkdtemp(prefix="headrace-config-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
(FOLDER / "app.py").write_text("")

NAMES = sorted(
    {spelling for option in registry.all_settings().values() for spelling in option.names}
    | {spelling for option in schedule_options().values() for spelling in option.names}
    | {
        "aws",
        "runtime",
        "console",
        "functions",
        "event_source_mappings",
        "schedules",
        "m",
        "f",
        "code",
        "handler",
        "command",
        "url",
        "urls",
    }
    | {
        "timeout",
        "environment",
        "endpoint_url",
        "http",
        "checkpoints",
        "Type",
        "Properties",
        "UUID",
        "State",
        "Tags",
        "on_failure",
    }
    | {
        "OnFailure",
        "destination",
        "filters",
        "pattern",
        "Filters",
        "Pattern",
        "maximum_concurrency",
        "retry_delay",
        "initial",
    }
)
VALUES = [
    *(
        "python",
        "http",
        "lambda",
        "provided",
        "in_process",
        "orders",
        "app.handler",
        ".",
        "f",
        "TRIM_HORIZON",
        "AT_TIMESTAMP",
        "${A}",
    ),
    *(
        "arn:aws:sqs:us-east-1:000000000000:orders",
        "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
        "${B:-5}",
        "$${",
        "${",
        "\0",
    ),
    *(
        "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/l",
        "http://localhost",
        "rate(5 minutes)",
        "cron(0 2 * * ? *)",
        "at(2026-01-01T00:00:00)",
        "Europe/Berlin",
        "AWS::Lambda::EventSourceMapping",
        '{"body":["a"]}',
    ),
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(VALUES)
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=12,
)
members = st.dictionaries(st.sampled_from(NAMES), documents, max_size=5)
configurations = st.fixed_dictionaries(
    {},
    optional={
        "aws": members | documents,
        "runtime": members | documents,
        "functions": st.dictionaries(st.sampled_from(["f", "g"]), members | documents, max_size=2),
        "event_source_mappings": st.dictionaries(st.sampled_from(["m", "n"]), members | documents, max_size=2),
        "schedules": st.dictionaries(st.sampled_from(["s", "t"]), members | documents, max_size=2),
    },
)
bounded = settings(max_examples=80)


def load_text(text: str, name: str = "headrace.yaml", environ: Mapping[str, str] | None = None) -> Loaded | ConfigError:
    """What loading gives, whichever it is; anything else escapes."""
    file = FOLDER / name
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return load_or_refuse(file, environ or {})


def load_or_refuse(file: Path, environ: Mapping[str, str]) -> Loaded | ConfigError:
    """A configuration, or faults that each have a line and fit on one."""
    try:
        return load(file, environ=environ, now=NOW)
    except ConfigError as error:
        refused = error
    assert refused.faults
    assert all(fault.line >= 1 and fault.message for fault in refused.faults)
    assert all(len(str(fault).splitlines()) == 1 for fault in refused.faults)
    return refused


def stream_settings() -> st.SearchStrategy[dict[str, Any]]:
    """Right settings of a Kinesis mapping, in any combination."""
    return st.fixed_dictionaries(
        {
            "event_source_arn": st.just("arn:aws:kinesis:us-east-1:000000000000:stream/clicks"),
            "function_name": st.sampled_from(["orders", "000000000000:function:orders"]),
            "starting_position": st.sampled_from(["TRIM_HORIZON", "LATEST"]),
        },
        optional={
            "batch_size": st.integers(1, 10_000),
            "maximum_batching_window_in_seconds": st.integers(0, 300),
            "parallelization_factor": st.integers(1, 10),
            "maximum_record_age_in_seconds": st.just(-1) | st.integers(60, 604_800),
            "maximum_retry_attempts": st.integers(-1, 10_000),
            "bisect_batch_on_function_error": st.booleans(),
            "tumbling_window_in_seconds": st.integers(0, 900),
            "enabled": st.booleans(),
            "function_response_types": st.sampled_from([[], ["ReportBatchItemFailures"]]),
            "filter_criteria": st.fixed_dictionaries(
                {},
                optional={
                    "filters": st.lists(st.fixed_dictionaries({"pattern": st.just('{"data":{"a":[1]}}')}), max_size=10)
                },
            ),
            "destination_config": st.fixed_dictionaries(
                {},
                optional={
                    "on_failure": st.fixed_dictionaries({}, optional={"destination": st.just("arn:aws:s3:::failed")})
                },
            ),
        },
    )
