"""The user that a cluster is read as, out of its secret."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pollers.aws.errors import AwsError, NotFound, Refused, Unavailable
from pollers.sources.documentdb.secret import SecretsClient, User, read_user

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-AbCdEf"
MARKER = "Marker-pass-word-7"


class Answer:
    """One answer of Secrets Manager."""

    def __init__(self, answer: bytes | AwsError) -> None:
        self.answer = answer
        self.made: list[tuple[str, dict[str, Any]]] = []

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, about: str = "", wait_seconds: float = 0
    ) -> bytes:
        self.made.append((operation, dict(parameters)))
        if isinstance(self.answer, AwsError):
            raise self.answer
        return self.answer


def holding(text: str) -> Answer:
    """Secrets Manager's answer for a secret with this text."""
    return Answer(orjson.dumps({"ARN": SECRET, "Name": "shop", "SecretString": text}))


async def test_a_secret_holds_user_and_password() -> None:
    """Whatever else it holds, such as host and port, is passed over."""
    calls = holding(orjson.dumps({"username": "reader", "password": MARKER, "port": 27017}).decode())
    assert await SecretsClient(calls).user(SECRET) == User("reader", MARKER)
    assert calls.made == [("GetSecretValue", {"SecretId": SECRET})]


def test_a_password_is_not_shown() -> None:
    """Wherever a user is written down."""
    assert MARKER not in repr(User("reader", MARKER))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (MARKER, "it is no JSON object"),
        (f'["{MARKER}"]', "it is no JSON object"),
        (f'{{"username": "reader", "password": "{MARKER}', "it is no JSON object"),
        (f'{{"password": "{MARKER}"}}', "it has no username"),
        (f'{{"username": "", "password": "{MARKER}"}}', "it has no username"),
        ('{"username": "reader"}', "it has no password"),
        ('{"username": "reader", "password": 7}', "it has no password"),
    ],
)
def test_a_secret_of_another_form_is_refused_without_a_word_of_it(text: str, why: str) -> None:
    """It says what the form must be; neither it nor what led to it has the text."""
    with pytest.raises(Refused, match=why) as refused:
        read_user(SECRET, text)
    assert SECRET in str(refused.value)
    assert MARKER not in "".join(traceback.format_exception(refused.value))


async def test_a_binary_secret_is_refused() -> None:
    """Secrets Manager gives it as another member."""
    with pytest.raises(Refused, match="it is binary"):
        await SecretsClient(Answer(orjson.dumps({"ARN": SECRET, "SecretBinary": "AAAA"}))).user(SECRET)


async def test_a_missing_secret_is_not_taken_for_a_missing_cluster() -> None:
    """``NotFound`` would be told as the source's own."""
    with pytest.raises(Refused, match=r"there is no secret .*source_access_configurations"):
        await SecretsClient(Answer(NotFound("ResourceNotFoundException", "no such secret"))).user(SECRET)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"SecretString": 7}'])
async def test_a_reply_without_what_it_must_have_is_no_answer(body: bytes) -> None:
    """It is asked for again (docs/design, decision 12)."""
    with pytest.raises(Unavailable):
        await SecretsClient(Answer(body)).user(SECRET)
