"""A handler's own AWS client reaches what its events come from, however Headrace itself was told where that is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e.harness import Workplace, ended
from tests.e2e.queues import queue

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

HANDLER = """
    import botocore.session
    client = botocore.session.Session().create_client("sqs")

    def handler(event, context):
        client.send_message(QueueUrl=os.environ["DEAD"], MessageBody="from the handler")
        note(region=os.environ.get("AWS_REGION"), arn=context.invoked_function_arn, endpoint=client.meta.endpoint_url)
"""
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def workplace(tmp_path: Path, ministack: Emulator) -> Workplace:
    return Workplace(tmp_path, ministack)


def with_aws(workplace: Workplace, section: dict[str, object]) -> None:
    """Put another section in place of the one that the harness writes."""
    file = workplace.folder / "headrace.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "aws": section}))


def environment_of(way: str, workplace: Workplace) -> dict[str, str]:
    """Headrace's own environment, which names the endpoint in this way."""
    url = workplace.emulator.endpoint_url
    if way == "variables":
        return {**KEYS, "AWS_ENDPOINT_URL": url}
    if way == "configuration":  # which nothing in the environment is to hide
        wrong = "http://127.0.0.1:9"
        ignored = {
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            "AWS_ENDPOINT_URL": wrong,
            "AWS_ENDPOINT_URL_SQS": wrong,
        }
        return {**KEYS, **ignored, "HTTP_PROXY": wrong, "http_proxy": wrong, "NO_PROXY": "127.0.0.1"}
    file = workplace.folder / "aws-config"
    file.write_text(f"[profile work]\nservices = local\n[services local]\nsqs =\n  endpoint_url = {url}\n")
    return {**KEYS, "AWS_CONFIG_FILE": os.path.relpath(file), "AWS_PROFILE": "work"}


@pytest.mark.parametrize("way", ["variables", "configuration", "profile", "profile, withheld"])
async def test_a_handlers_client_reaches_the_emulator_in_the_sources_region(workplace: Workplace, way: str) -> None:
    """Without a region or an endpoint of its own, and with whatever region Headrace has for itself."""
    workplace.function(HANDLER)
    async with queue(workplace.emulator) as source:
        own = {"JOURNAL": str(workplace.journal), "DEAD": source.dead_url}
        function: dict[str, object] = {"environment": own}
        if way == "profile, withheld":
            function = {"environment": {**own, **KEYS}, "credentials": "none"}
        workplace.configure({"q": {"event_source_arn": source.arn}}, function=function)
        configured: dict[str, object] = (
            {"endpoint_urls": {"sqs": workplace.emulator.endpoint_url}} if way == "configuration" else {}
        )
        with_aws(workplace, configured)
        environment = {**environment_of(way.partition(",")[0], workplace), "AWS_DEFAULT_REGION": "eu-north-1"}
        await source.send(["m1"])
        with workplace.headrace("--until-idle", "1", environment=environment) as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert await source.dead() == ["from the handler"]
    [noted] = workplace.notes()
    assert noted["endpoint"] == workplace.emulator.endpoint_url
    assert noted["region"] == "us-east-1"
    assert noted["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:work"
