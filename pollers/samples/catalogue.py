"""Every sample by its name, and what to say of a name that is none."""

from __future__ import annotations

from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pollers.samples import buses, http, identity, messages, operations, resolvers, storage, streams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pollers.samples.sample import Sample

SAMPLES: Final[Mapping[str, Sample]] = MappingProxyType(
    dict(
        sorted(
            {
                **buses.SAMPLES,
                **http.SAMPLES,
                **identity.SAMPLES,
                **messages.SAMPLES,
                **operations.SAMPLES,
                **resolvers.SAMPLES,
                **storage.SAMPLES,
                **streams.SAMPLES,
            }.items()
        )
    )
)
"""In the order of their names."""

OTHER_WORDS: Final = MappingProxyType(
    {
        "apigateway": "api-gateway",
        "apigw": "api-gateway",
        "aws-proxy": "api-gateway-rest",
        "cloudwatch-event": "scheduled",
        "change-stream": "documentdb",
        "cron": "scheduled",
        "docdb": "documentdb",
        "elb": "alb",
        "event-bridge": "eventbridge",
        "http-api": "api-gateway",
        "http-api-proxy": "api-gateway",
        "kinesis-firehose": "firehose",
        "lambda-url": "function-url",
        "mongodb": "documentdb",
        "rate": "scheduled",
        "rest-api": "api-gateway-rest",
        "schedule": "scheduled",
        "scheduled-event": "scheduled",
        "subscription-filter": "cloudwatch-logs",
        "url": "function-url",
        "websocket": "api-gateway-websocket",
    }
)
"""What else a user may call them. They are suggested and not taken: one word for one thing."""


class UnknownSample(LookupError):  # noqa: N818 - named for what has happened, like all errors here
    """There is no sample of that name; the message says what may have been meant."""


def sample_named(name: str) -> Sample:
    """The sample of that name; raises :class:`UnknownSample`."""
    if name in SAMPLES:
        return SAMPLES[name]
    meant = " or ".join(map(repr, suggestions(name)))
    raise UnknownSample(f"no sample {name!r}; " + (f"did you mean {meant}?" if meant else "--sample list has them all"))


def suggestions(name: str) -> list[str]:
    """The names that somebody who wrote ``name`` may have meant, the likeliest first; none for what is like no name."""
    wanted = name.lower().replace("_", "-")
    if wanted in OTHER_WORDS:
        return [OTHER_WORDS[wanted]]
    close = get_close_matches(wanted, SAMPLES, n=3, cutoff=0.75)
    inside = [known for known in SAMPLES if wanted and wanted in known]
    return list(dict.fromkeys([*inside, *close]))
