"""States and plans in Terraform's forms, for tests."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT = "eu-west-1:123456789012"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:jobs"
STREAM = f"arn:aws:kinesis:{ACCOUNT}:stream/clicks"
TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
WORKER = f"arn:aws:lambda:{ACCOUNT}:function:worker"

Attributes = dict[str, Any]


def function(**attributes: Any) -> Attributes:  # noqa: ANN401 - a provider's
    """A function as the provider writes it, with everything that does not apply."""
    return {
        **{"architectures": ["x86_64"], "arn": WORKER, "dead_letter_config": [], "description": ""},
        **{"environment": [], "file_system_config": [], "filename": "app.zip", "function_name": "worker"},
        **{"handler": "app.handler", "image_uri": "", "kms_key_arn": "", "layers": [], "memory_size": 128},
        "logging_config": [
            {
                "application_log_level": "",
                "log_format": "Text",
                "log_group": "/aws/lambda/worker",
                "system_log_level": "",
            }
        ],
        **{"package_type": "Zip", "reserved_concurrent_executions": -1, "role": "arn:aws:iam::123456789012:role/r"},
        **{"runtime": "python3.12", "source_code_hash": "abc=", "timeout": 3, "vpc_config": []},
    } | attributes


def mapping(**attributes: Any) -> Attributes:  # noqa: ANN401 - a provider's
    """A mapping of a queue as the provider writes it: with zeros and empty texts for what does not apply."""
    return {
        **{"amazon_managed_kafka_event_source_config": [], "batch_size": 10, "bisect_batch_on_function_error": False},
        **{"destination_config": [], "document_db_event_source_config": [], "enabled": True},
        **{"event_source_arn": QUEUE, "filter_criteria": [], "function_arn": WORKER, "function_name": WORKER},
        **{"function_response_types": [], "id": "u", "kms_key_arn": "", "last_modified": "2026-01-01T00:00:00Z"},
        **{"last_processing_result": "", "maximum_batching_window_in_seconds": 0, "maximum_record_age_in_seconds": 0},
        **{"maximum_retry_attempts": 0, "metrics_config": [], "parallelization_factor": 0, "queues": None},
        **{"provisioned_poller_config": [], "scaling_config": [], "self_managed_event_source": []},
        **{"self_managed_kafka_event_source_config": [], "source_access_configuration": [], "starting_position": ""},
        **{"starting_position_timestamp": "", "state": "Enabled", "state_transition_reason": "USER_INITIATED"},
        **{"tags": {}, "tags_all": {}, "topics": None, "tumbling_window_in_seconds": 0, "uuid": "u"},
    } | attributes


def stream(**attributes: Any) -> Attributes:  # noqa: ANN401 - a provider's
    """A mapping of a stream as the provider writes it."""
    return mapping(
        **{
            **{"event_source_arn": STREAM, "starting_position": "LATEST", "batch_size": 100},
            **{"maximum_record_age_in_seconds": -1, "maximum_retry_attempts": -1, "parallelization_factor": 1},
            "destination_config": [{"on_failure": [{"destination_arn": ""}]}],
        }
        | attributes
    )


def resource(kind: str, name: str, *instances: Attributes, module: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - Terraform's
    """A resource of a state of version 4, with its instances' attributes."""
    found: dict[str, Any] = {"module": module} if module else {}
    found |= {"mode": more.pop("mode", "managed"), "type": kind, "name": name}
    keys = more.pop("keys", [None] * len(instances))
    return found | {
        "instances": [
            ({"index_key": key} if key is not None else {}) | {"attributes": attributes} | more
            for key, attributes in zip(keys, instances, strict=True)
        ]
    }


def state(*resources: dict[str, Any], version: int = 4) -> str:
    """The file ``terraform.tfstate``."""
    return json.dumps(
        {"version": version, "terraform_version": "1.11.4", "serial": 3, "lineage": "l", "resources": list(resources)},
        indent=2,
    )


def shown(*resources: tuple[str, str, Attributes], **module: Any) -> str:  # noqa: ANN401 - Terraform's
    """What ``terraform show -json`` prints of a state: resources as type, name and attributes."""
    return json.dumps(
        {
            "format_version": "1.0",
            "terraform_version": "1.11.4",
            "values": {"root_module": {"resources": [entry(*one) for one in resources]} | module},
        },
        indent=2,
    )


def entry(kind: str, name: str, values: Attributes, prefix: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - Terraform's
    """A resource as ``show -json`` prints it."""
    address = f"{prefix}{kind}.{name}" + (f"[{json.dumps(more['index'])}]" if "index" in more else "")
    return {"address": address, "mode": "managed", "type": kind, "name": name, "values": values, **more}
