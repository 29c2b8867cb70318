"""Terraform with its AWS provider makes resources of Lambda's API, finds nothing to change, changes and destroys them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from tests.e2e.lambda_api import LambdaApiPlace
from tests.emulators import unique
from tests.unit.importing.templates import imported_from
from tests.unit.made_functions.packages import APP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.emulators import Emulator

EXAMPLE = Path(__file__).parents[2] / "examples" / "terraform"

MIRRORS = (
    Path("/usr/share/terraform/plugins"),
    Path("/usr/local/share/terraform/plugins"),
    Path.home() / ".terraform.d/plugins",
    *Path("/opt").glob("*"),
)
"""Where providers may lie; none is fetched."""
PROVIDER = "registry.terraform.io/hashicorp/aws"
NO_CHANGES = 0
"""Of ``terraform plan -detailed-exitcode``; 2 are changes."""
MIRROR = next((mirror for mirror in MIRRORS if (mirror / PROVIDER).is_dir()), None)

pytestmark = [
    # The provider is started for each command: five minutes in all where several other things run.
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        shutil.which("terraform") is None or MIRROR is None, reason="there is no terraform, or no AWS provider for it"
    ),
]


def more(stream: str) -> dict[str, Any]:
    """What the example does not have of the resources that are served, and what Terraform reads of functions."""
    cors = {"allow_origins": ["https://example.com"], "allow_methods": ["GET"], "max_age": 300}
    permission = {"action": "lambda:InvokeFunction", "function_name": "orders"}
    return {
        "data": {"aws_lambda_functions": {"all": {"depends_on": ["aws_lambda_function.made"]}}},
        "resource": {
            "aws_lambda_function": {
                "made": {
                    "function_name": "made",
                    "filename": "made.zip",
                    "source_code_hash": '${filebase64sha256("made.zip")}',
                    "runtime": "python3.11",
                    "handler": "app.handler",
                    "role": "arn:aws:iam::000000000000:role/made",
                    "description": "with batches of ${var.batch_size}",
                    "environment": {"variables": {"TABLE": "orders"}},
                    "tags": {"team": "shop"},
                }
            },
            "aws_lambda_invocation": {"once": {"function_name": "orders", "input": '{"a": 1}'}},
            "aws_lambda_function_event_invoke_config": {
                "audit": {
                    "function_name": "audit_log",
                    "maximum_retry_attempts": 0,
                    "maximum_event_age_in_seconds": 60,
                    "destination_config": {
                        "on_failure": {"destination": "arn:aws:sqs:us-east-1:000000000000:failed"},
                        "on_success": {"destination": "arn:aws:lambda:us-east-1:000000000000:function:orders"},
                    },
                }
            },
            "aws_lambda_function_url": {
                "audit": {
                    "function_name": "audit_log",
                    "authorization_type": "AWS_IAM",
                    "invoke_mode": "RESPONSE_STREAM",
                    "cors": cors,
                },
            },
            "aws_lambda_permission": {
                "bucket": {**permission, "principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::bucket"},
                "account": {**permission, "principal": "arn:aws:iam::111111111111:root"},
            },
            "aws_lambda_function_recursion_config": {"orders": {"function_name": "orders", "recursive_loop": "Allow"}},
            "aws_lambda_event_source_mapping": {
                "stream": {
                    "event_source_arn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}",
                    "function_name": "arn:aws:lambda:us-east-1:000000000000:function:audit_log:live",
                    "starting_position": "AT_TIMESTAMP",
                    "starting_position_timestamp": "2026-01-01T00:00:00Z",
                    "destination_config": {
                        "on_failure": {"destination_arn": "arn:aws:sqs:us-east-1:000000000000:failed"}
                    },
                    "bisect_batch_on_function_error": True,
                    "maximum_retry_attempts": 3,
                }
            },
        },
        "output": {
            "result": {"value": "${aws_lambda_invocation.once.result}"},
            "functions": {"value": "${data.aws_lambda_functions.all.function_names}"},
        },
    }


@pytest.fixture
def place(tmp_path: Path, ministack: Emulator) -> Iterator[LambdaApiPlace]:
    """Two functions behind the API, beside a folder with the example and more."""
    place = LambdaApiPlace(tmp_path)
    aws = {"region": "us-east-1", "endpoint_url": ministack.endpoint_url}
    api = {"port": place.port, "functions": True}
    place.configure({"orders": {}, "audit_log": {}}, aws=aws, lambda_api=api)
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    kinesis = session.create_client("kinesis", region_name="us-east-1", endpoint_url=ministack.endpoint_url)
    kinesis.create_stream(StreamName=(stream := unique("stream")), ShardCount=1)
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "made.zip").write_bytes(APP)
    shutil.copy(EXAMPLE / "main.tf", tmp_path / "terraform")
    (tmp_path / "terraform" / "more.tf.json").write_text(json.dumps(more(stream)))
    values = {"headrace": place.url, "emulator": ministack.endpoint_url, "queue": unique("orders")}
    (tmp_path / "terraform" / "terraform.tfvars.json").write_text(json.dumps(values))
    place.start()
    try:
        yield place
        assert place.end() == 0
    finally:
        if place.process is not None and place.process.poll() is None:
            place.kill()


def terraform(place: LambdaApiPlace, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it without any configuration of its user's, and without asking for newer versions."""
    return subprocess.run(
        ["terraform", *arguments, "-no-color"],
        cwd=place.folder / "terraform",
        env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def expect_import(place: LambdaApiPlace) -> None:
    """``headrace import`` makes a configuration of the state that Terraform wrote, with every mapping that the API has."""
    folder = place.folder / "terraform"
    found = imported_from(folder / "terraform.tfstate", folder).loaded()
    listed = place.client().list_event_source_mappings()["EventSourceMappings"]
    made = {(one["EventSourceArn"], one["BatchSize"]) for one in listed}
    assert {(one.event_source_arn, one.batch_size) for one in found.event_source_mappings.values()} == made
    assert found.functions.keys() >= {"audit_log", "audit_log-live", "orders"}


def test_resources_are_made_once_changed_and_destroyed(place: LambdaApiPlace) -> None:
    """A second plan is empty, so every reply says what was asked for; afterwards nothing is left but what AWS leaves too."""
    assert terraform(place, "init", f"-plugin-dir={MIRROR}").returncode == 0
    applied = terraform(place, "apply", "-auto-approve")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    outputs = json.loads((place.folder / "terraform" / "terraform.tfstate").read_text())["outputs"]
    assert json.loads(outputs["result"]["value"])["echo"] == {"a": 1}
    assert outputs["functions"]["value"] == ["audit_log", "made", "orders"]
    assert outputs["url"]["value"] == f"http://orders.lambda-url.us-east-1.localhost:{place.port}/"
    expect_import(place)
    planned = terraform(place, "plan", "-detailed-exitcode")
    assert planned.returncode == NO_CHANGES, planned.stdout + planned.stderr
    client, uuid = place.client(), outputs["mapping"]["value"]
    changed = terraform(place, "apply", "-auto-approve", "-var=batch_size=7", "-var=enabled=false", "-refresh=false")
    assert "2 changed" in changed.stdout, changed.stdout + changed.stderr
    mapping = client.get_event_source_mapping(UUID=uuid)
    assert (mapping["BatchSize"], mapping["State"]) == (7, "Disabled")
    assert client.get_function_configuration(FunctionName="made")["Description"] == "with batches of 7"
    destroyed = terraform(place, "destroy", "-auto-approve", "-refresh=false")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert client.list_event_source_mappings()["EventSourceMappings"] == []
    assert [one["FunctionName"] for one in client.list_functions()["Functions"]] == ["audit_log", "orders"]
    # The provider adds this statement to open URLs, and leaves it when they are destroyed.
    [left] = json.loads(client.get_policy(FunctionName="orders")["Policy"])["Statement"]
    assert left["Sid"] == "FunctionURLAllowPublicAccess"
    for name in ("orders", "audit_log"):
        for read in (client.get_function_url_config, client.get_function_event_invoke_config):
            with pytest.raises(client.exceptions.ResourceNotFoundException):
                read(FunctionName=name)
