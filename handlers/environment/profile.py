"""What the profile in the SDKs' configuration files (``~/.aws/config``) says of regions and endpoints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.environment.aws_variables import ENDPOINT, FOLLOWED_VARIABLES, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

_S3_REGIONAL = "us_east_1_regional_endpoint"


def read_profile() -> Profile:
    """The profile that the SDK would use in this process. Reads files; one that cannot be read says nothing here.

    Whoever makes a client with it learns why.
    """
    files = ("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    if not any(os.path.isfile(os.path.expanduser(os.environ.get(name) or usual)) for name, usual in files):
        return Profile()  # the SDK takes a tenth of a second to be imported
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    session = Session()
    try:
        said = session.get_scoped_config()
        services = session.full_config.get("services", {}).get(said.get("services"), {})
    except BotoCoreError:
        return Profile()
    known = {key: name for key, name, *_ in Session.SESSION_VARIABLES.values()}
    return Profile(said.get("region"), profile_variables(said, services, known), Path.cwd())


def profile_variables(
    said: Mapping[str, object], services: Mapping[str, object], known: Mapping[str | None, object]
) -> dict[str, str]:
    """A profile's settings as variables (decider).

    ``services`` is the section that it names; ``known`` gives the variable for each of the SDK's keys.
    """
    found = {}
    for key, value in said.items():
        name = ENDPOINT if key == "endpoint_url" else known.get(key)
        if isinstance(name, str) and isinstance(value, str) and name in FOLLOWED_VARIABLES:
            found[name] = value
    s3 = said.get("s3")
    if isinstance(s3, dict) and isinstance(s3.get(_S3_REGIONAL), str):
        found["AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"] = s3[_S3_REGIONAL]
    for service, settings in services.items():
        url = settings.get("endpoint_url") if isinstance(settings, dict) else None
        if isinstance(url, str):
            found[f"{ENDPOINT}_{service.upper()}"] = url
    return found
