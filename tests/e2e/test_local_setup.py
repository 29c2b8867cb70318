"""compose.yaml's steps without Docker: its sources made on LocalStack, its configuration run there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import yaml

from pollers.emulators import LocalStack, installed
from tests.emulators import plain_client

if TYPE_CHECKING:
    from pollers.emulators import Emulator

ROOT = Path(__file__).parents[2]


def make_sources(emulator: Emulator, tools: Path) -> None:
    """The command of compose.yaml's ``sources``, with LocalStack's own AWS command line."""
    python = installed(LocalStack()) / "venv" / "bin" / "python"
    tools.mkdir()
    awslocal = tools / "awslocal"
    awslocal.write_text(f'#!/bin/sh\nexec {python} -m awscli --endpoint-url {emulator.endpoint_url} "$@"\n')
    awslocal.chmod(0o755)
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["sources"]
    # Compose itself turns $$ into $.
    command = [*service["entrypoint"], *(line.replace("$$", "$") for line in service["command"])]
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "AWS_REGION": "us-east-1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


async def test_the_configuration_of_compose_runs_on_its_localstack(localstack: Emulator, tmp_path: Path) -> None:
    """Orders and payments are handled and deleted, clicks are read, and the run ends with balanced books."""
    make_sources(localstack, tmp_path / "tools")
    journal = tmp_path / "orders.journal"
    async with plain_client(localstack, "sqs") as sqs, plain_client(localstack, "kinesis") as kinesis:
        orders = (await sqs.get_queue_url(QueueName="orders"))["QueueUrl"]
        payments = (await sqs.get_queue_url(QueueName="payments.fifo"))["QueueUrl"]
        for number in range(20):
            await sqs.send_message(QueueUrl=orders, MessageBody=json.dumps({"id": number, "amount": 1}))
            body = json.dumps({"id": f"p{number}"})
            await sqs.send_message(QueueUrl=payments, MessageBody=body, MessageGroupId=str(number % 3))
            data = json.dumps({"id": f"c{number}"}).encode()
            await kinesis.put_record(StreamName="clicks", PartitionKey=str(number), Data=data)
        environment = os.environ | {
            "AWS_ENDPOINT_URL": localstack.endpoint_url,
            "HEADRACE_STATE": str(tmp_path / "state"),
            "HEADRACE_PORT": "0",
            "HEADRACE_API_PORT": "0",
            "ORDERS_JOURNAL": str(journal),
        }
        (tmp_path / "state").mkdir()
        with anyio.fail_after(150):
            done = await anyio.run_process(
                [sys.executable, "-m", "pollers", "run", "config/local.yaml", "--until-idle", "3"],
                cwd=ROOT,
                env=environment,
                check=False,
            )
        log = done.stderr.decode()
        assert done.returncode == 0, log[-4000:]
        handled = {json.loads(line)["id"] for line in journal.read_text().splitlines()}
        assert handled == set(range(20))
        for url in (orders, payments):
            attributes = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
            assert attributes["ApproximateNumberOfMessages"] == "0"
            assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
    lines = [json.loads(line) for line in log.splitlines()]
    ledgers = {
        line["mapping"]: line
        for line in lines
        if line["event"].endswith("ledger") and "mapping" in line and "balanced" in line
    }
    assert {name: (line["balanced"], line["received"]) for name, line in ledgers.items()} == {
        "orders": (True, 20),
        "payments": (True, 20),
        "clicks": (True, 20),
    }
