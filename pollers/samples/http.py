"""Requests over HTTP: HTTP APIs and function URLs (format 2.0), REST APIs, load balancers, WebSockets (docs/lambda 15.2)."""

from __future__ import annotations

import json
from typing import Final

from pollers.samples.sample import Circumstances, Document, Sample

CLIENT: Final = "203.0.113.17"
AGENT: Final = "curl/8.14.1"
ORDER: Final = json.dumps({"order": "1001", "amount": 42, "note": "café"}, ensure_ascii=False)
"""The body of every request: JSON, as text."""
_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def clf_time(at: Circumstances) -> str:
    """The time as requests have it, in English whatever the machine's language: ``31/Jan/2026:12:00:00 +0000``."""
    return f"{at.now:%d}/{_MONTHS[at.now.month - 1]}/{at.now:%Y:%H:%M:%S} +0000"


def _headers(at: Circumstances, host: str) -> Document:
    """Names in small letters, as formats 2.0 and load balancers have them."""
    return {
        "accept": "*/*",
        "content-length": str(len(ORDER.encode())),
        "content-type": "application/json",
        "host": host,
        "user-agent": AGENT,
        "x-amzn-trace-id": f"Root=1-{at.epoch_seconds:08x}-{at.hex(24)}",
        "x-forwarded-for": CLIENT,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }


def _context(at: Circumstances, *, api: str, host: str, route: str, path: str, account: str) -> Document:
    """``requestContext`` of format 2.0."""
    return {
        "accountId": account,
        "apiId": api,
        "domainName": host,
        "domainPrefix": api,
        "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": CLIENT, "userAgent": AGENT},
        "requestId": at.uuid(),
        "routeKey": route,
        "stage": "$default",
        "time": clf_time(at),
        "timeEpoch": at.epoch_milliseconds,
    }


def function_url(at: Circumstances) -> Document:
    """A call of a function URL that asks for no signature."""
    api = at.word(32)
    host = f"{api}.lambda-url.{at.region}.on.aws"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/orders/1001",
        "rawQueryString": "expand=lines&tag=a&tag=b",
        "cookies": ["session=9f2c", "theme=dark"],
        "headers": _headers(at, host),
        "queryStringParameters": {"expand": "lines", "tag": "a,b"},
        "requestContext": _context(at, api=api, host=host, route="$default", path="/orders/1001", account="anonymous"),
        "body": ORDER,
        "isBase64Encoded": False,
    }


def http_api(at: Circumstances) -> Document:
    """A route of an HTTP API, payload format 2.0."""
    api, route = at.word(10), "POST /orders/{id}"
    host = f"{api}.execute-api.{at.region}.amazonaws.com"
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": "/orders/1001",
        "rawQueryString": "expand=lines&tag=a&tag=b",
        "cookies": ["session=9f2c", "theme=dark"],
        "headers": _headers(at, host),
        "queryStringParameters": {"expand": "lines", "tag": "a,b"},
        "requestContext": _context(at, api=api, host=host, route=route, path="/orders/1001", account=at.account),
        "body": ORDER,
        "pathParameters": {"id": "1001"},
        "isBase64Encoded": False,
    }


def rest_api(at: Circumstances) -> Document:
    """A method of a REST API with proxy integration: names of headers as they were sent, each value once and as a list."""
    api = at.word(10)
    host = f"{api}.execute-api.{at.region}.amazonaws.com"
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Host": host,
        "User-Agent": AGENT,
        "X-Amzn-Trace-Id": f"Root=1-{at.epoch_seconds:08x}-{at.hex(24)}",
        "X-Forwarded-For": CLIENT,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": "/orders/{id}",
        "path": "/orders/1001",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {"expand": "lines", "tag": "b"},
        "multiValueQueryStringParameters": {"expand": ["lines"], "tag": ["a", "b"]},
        "pathParameters": {"id": "1001"},
        "stageVariables": None,
        "requestContext": _rest_context(at, api, host),
        "body": ORDER,
        "isBase64Encoded": False,
    }


def _rest_context(at: Circumstances, api: str, host: str) -> Document:
    return {
        "accountId": at.account,
        "apiId": api,
        "authorizer": None,
        "deploymentId": at.word(6),
        "domainName": host,
        "domainPrefix": api,
        "extendedRequestId": at.base64(11),
        "httpMethod": "POST",
        "identity": {
            "accessKey": None,
            "accountId": None,
            "caller": None,
            "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "principalOrgId": None,
            "sourceIp": CLIENT,
            "user": None,
            "userAgent": AGENT,
            "userArn": None,
        },
        "path": "/prod/orders/1001",
        "protocol": "HTTP/1.1",
        "requestId": at.uuid(),
        "requestTime": clf_time(at),
        "requestTimeEpoch": at.epoch_milliseconds,
        "resourceId": at.word(6),
        "resourcePath": "/orders/{id}",
        "stage": "prod",
    }


def load_balancer(at: Circumstances) -> Document:
    """A target group of an Application Load Balancer. Values of the query are as they were sent, still encoded."""
    group = at.arn("elasticloadbalancing", f"targetgroup/orders/{at.hex(16)}")
    return {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": "POST",
        "path": "/orders/1001",
        "queryStringParameters": {"expand": "lines", "tag": "a%2Cb"},
        "headers": _headers(at, f"orders-{at.number(9)}.{at.region}.elb.amazonaws.com"),
        "body": ORDER,
        "isBase64Encoded": False,
    }


def websocket(at: Circumstances) -> Document:
    """A message on a connection of a WebSocket API."""
    api, connection = at.word(10), at.base64(11)
    return {
        "requestContext": {
            "routeKey": "placeOrder",
            "messageId": at.base64(11),
            "eventType": "MESSAGE",
            "extendedRequestId": at.base64(11),
            "requestTime": clf_time(at),
            "messageDirection": "IN",
            "stage": "prod",
            "connectedAt": at.epoch_milliseconds - 90_000,
            "requestTimeEpoch": at.epoch_milliseconds,
            "identity": {"sourceIp": CLIENT},
            "requestId": at.base64(11),
            "domainName": f"{api}.execute-api.{at.region}.amazonaws.com",
            "connectionId": connection,
            "apiId": api,
        },
        "body": json.dumps({"action": "placeOrder", "order": "1001"}),
        "isBase64Encoded": False,
    }


def http_authorizer(at: Circumstances) -> Document:
    """An HTTP API asks whether a request may pass, format 2.0."""
    api, route, token = at.word(10), "POST /orders/{id}", f"Bearer {at.word(24)}"
    host = f"{api}.execute-api.{at.region}.amazonaws.com"
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": at.arn("execute-api", f"{api}/$default/POST/orders/1001"),
        "identitySource": [token],
        "routeKey": route,
        "rawPath": "/orders/1001",
        "rawQueryString": "expand=lines",
        "cookies": ["session=9f2c"],
        "headers": {**_headers(at, host), "authorization": token},
        "queryStringParameters": {"expand": "lines"},
        "requestContext": _context(at, api=api, host=host, route=route, path="/orders/1001", account=at.account),
        "pathParameters": {"id": "1001"},
        "stageVariables": {"catalogue": "spring"},
    }


def rest_authorizer(at: Circumstances) -> Document:
    """A REST API asks whether the bearer of a token may call a method."""
    return {
        "type": "TOKEN",
        "authorizationToken": f"Bearer {at.word(24)}",
        "methodArn": at.arn("execute-api", f"{at.word(10)}/prod/POST/orders/1001"),
    }


SAMPLES: Final = {
    "alb": Sample("a request through an Application Load Balancer", load_balancer),
    "api-gateway": Sample("a request to an HTTP API (format 2.0)", http_api),
    "api-gateway-authorizer": Sample("an HTTP API asks its authorizer", http_authorizer),
    "api-gateway-rest": Sample("a request to a REST API", rest_api),
    "api-gateway-rest-authorizer": Sample("a REST API asks its authorizer for a token", rest_authorizer),
    "api-gateway-websocket": Sample("a message to a WebSocket API", websocket),
    "function-url": Sample("a request to a function URL", function_url),
}
"""By the names that ``headrace invoke --sample`` takes."""
