"""Services that ask a function for an answer: AppSync's resolvers, Bedrock's agents (docs/lambda 15.4)."""

from __future__ import annotations

from typing import Final

from pollers.samples.sample import Circumstances, Document, Sample


def appsync(at: Circumstances) -> Document:
    """A field of a GraphQL query, asked by a user of a Cognito pool."""
    issuer = f"https://cognito-idp.{at.region}.amazonaws.com/{at.region}_{at.word(9)}"
    identity, subject = {"username": "jane", "groups": ["customers"]}, at.uuid()
    return {
        "arguments": {"id": "1001"},
        "identity": {
            **identity,
            "claims": {"sub": subject, "iss": issuer, "token_use": "access", "exp": at.epoch_seconds + 3600},
            "defaultAuthStrategy": "ALLOW",
            "issuer": issuer,
            "sourceIp": ["203.0.113.17"],
            "sub": subject,
        },
        "source": None,
        "request": {
            "headers": {
                "content-type": "application/json",
                "host": f"{at.word(26)}.appsync-api.{at.region}.amazonaws.com",
                "x-forwarded-for": "203.0.113.17",
            },
            "domainName": None,
        },
        "prev": None,
        "info": {
            "fieldName": "getOrder",
            "parentTypeName": "Query",
            "variables": {"id": "1001"},
            "selectionSetList": ["id", "amount"],
            "selectionSetGraphQL": "{\n  id\n  amount\n}",
        },
        "stash": {},
    }


def bedrock_agent(at: Circumstances) -> Document:
    """An agent carries out an action that an OpenAPI document describes."""
    return {
        "messageVersion": "1.0",
        "agent": {"name": "orders", "id": at.word(10).upper(), "alias": at.word(10).upper(), "version": "1"},
        "inputText": "Where is my order 1001?",
        "sessionId": at.uuid(),
        "actionGroup": "orders",
        "apiPath": "/orders/{id}",
        "httpMethod": "GET",
        "parameters": [{"name": "id", "type": "string", "value": "1001"}],
        "sessionAttributes": {"language": "en"},
        "promptSessionAttributes": {},
    }


SAMPLES: Final = {
    "appsync": Sample("a field of a GraphQL query (direct resolver)", appsync),
    "bedrock-agent": Sample("an agent's action, described by OpenAPI", bedrock_agent),
}
"""By the names that ``headrace invoke --sample`` takes."""
