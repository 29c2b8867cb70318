"""What functions are told of where they run: Headrace's environment and profile, the region and the account."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from config import partition_of
from config.models import LambdaFunction
from handlers.environment.aws_variables import Profile, headrace_variables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from config.models import Aws, Config

DEFAULT_ACCOUNT = "000000000000"
"""The account in the ARNs of functions that belong to no account."""


def _own_environment() -> dict[str, str]:
    return dict(os.environ)


@dataclass(frozen=True, slots=True)
class World:
    """What a function outside of AWS is told of where it runs. ``region`` is empty where none is known."""

    environment: Mapping[str, str] = field(default_factory=_own_environment)
    region: str = ""
    account: str = DEFAULT_ACCOUNT
    profile: Profile = field(default_factory=Profile)
    doubt: str | None = None
    """A remark about the region, if it is not simply the event source's."""
    arn_region: str | None = None
    """The region in functions' ARNs, where it is not :attr:`region`: Lambda's API serves all functions in one region."""

    def arn(self, name: str) -> str:
        """The ARN by which a function is known here."""
        return function_arn(name, self.arn_region or self.region, self.account)


@dataclass(frozen=True, slots=True)
class Region:
    """A function's region, and a remark if it is not simply that of its sources."""

    name: str
    doubt: str | None = None


def function_arn(name: str, region: str, account: str) -> str:
    """The ARN by which a function outside Lambda is known."""
    return f"arn:{partition_of(region)}:lambda:{region}:{account}:function:{name}"


def world_of(
    aws: Aws,
    *,
    profile: Profile | None = None,
    sources: Collection[str] = (),
    environ: Mapping[str, str] | None = None,
    account: str = DEFAULT_ACCOUNT,
) -> World:
    """The world of one function. ``sources`` are the regions of its mappings' event sources."""
    environ = os.environ if environ is None else environ
    profile = profile or Profile()
    region = choose_region(sources, aws.region, environ, profile)
    return World(headrace_variables(environ, aws, profile, Path.cwd()), region.name, account, profile, region.doubt)


def world_in(config: Config, function: str, *, profile: Profile, environ: Mapping[str, str] | None = None) -> World:
    """The world of a function of ``config``. Where Lambda's API is served, its region and account are in the ARN."""
    sources, api = source_regions(config, function), config.lambda_api
    if api is None:
        return world_of(config.aws, profile=profile, sources=sources, environ=environ)
    aws = config.aws if config.aws.region else config.aws.model_copy(update={"region": api.region})
    world = world_of(aws, profile=profile, sources=sources, environ=environ, account=api.account)
    return replace(world, arn_region=config.api_region)


def arn_in(config: Config, function: str, *, profile: Profile) -> str:
    """The ARN by which a function is known, whether it is configured (any more) or not."""
    model = config.functions.get(function)
    if isinstance(model, LambdaFunction):
        return ":".join(model.function_arn.split(":")[:7])
    return world_in(config, function, profile=profile).arn(function)


def source_regions(config: Config, function: str) -> tuple[str, ...]:
    """The regions of the event sources whose mappings invoke the function, disabled ones included."""
    mappings = config.event_source_mappings.values()
    return tuple(sorted({mapping.arn.region for mapping in mappings if mapping.function_name == function}))


def choose_region(
    sources: Collection[str], configured: str | None, environ: Mapping[str, str], profile: Profile
) -> Region:
    """A function's region: that of its sources if all have the same, else Headrace's own. None is ever assumed (decider)."""
    if len(sources) == 1:
        return Region(*sources)
    own = configured or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile.region or ""
    said = f"it is {own}, Headrace's own" if own else "it is not set"
    if len(sources) > 1:
        regions = " and ".join(sorted(sources))
        return Region(own, f"its event sources are in {regions}, so its AWS_REGION could be either: {said}")
    if not own:
        return Region(
            "", "no region is known (no event source, aws.region, AWS_REGION or profile): AWS_REGION is not set"
        )
    return Region(own)
