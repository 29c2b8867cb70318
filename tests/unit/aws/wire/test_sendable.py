"""Credentials that no request can carry are refused by name, and their values are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from pollers.aws.errors import CredentialsExpired
from pollers.aws.wire.classify import from_sdk
from pollers.aws.wire.credentials import ASK_AGAIN_SECONDS, ReloadingCredentials
from pollers.aws.wire.sendable import credentials_fault, environment_faults, unsendable
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a/b+c=", "AWS_SESSION_TOKEN": "IQoJ//=="}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("secret", None),
        ("", None),
        ("secret\n", "a line break at its end"),
        ("secret\r\n", "a line break at its end"),
        ("sec\nret", "a line break"),
        ("sec ret", "a blank"),
        ("sec\u00a0ret", "a blank"),
        ("secret\t", "a blank"),
        ("s\u00e9cret", "no printable ASCII"),
        ("sec\x00ret", "no printable ASCII"),
        ("sec\ud800ret", "no printable ASCII"),
    ],
)
def test_what_no_header_can_carry_is_found(text: str, problem: str | None) -> None:
    """The usual case is a line break from the file of a secret."""
    found = unsendable(text)
    assert found is None if problem is None else found is not None and problem in found


class TestEnvironment:
    """Variables, looked at before anything starts."""

    @pytest.mark.parametrize("name", [*GOOD, "AWS_REGION", "AWS_ENDPOINT_URL_SQS", "AWS_ROLE_ARN", "AWS_PROFILE"])
    def test_each_is_named_without_its_value(self, name: str) -> None:
        """Logs are read by many."""
        [fault] = environment_faults({**GOOD, "OTHER": "any\n", name: "hush\n"})
        assert fault.startswith(f"environment variable {name}: found a line break at its end")
        assert "hush" not in fault

    def test_paths_and_profiles_may_have_blanks(self) -> None:
        """And letters of any language."""
        assert not list(environment_faults({**GOOD, "AWS_PROFILE": "mein Pröfil", "AWS_CA_BUNDLE": "/a b/ca.pem"}))


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("env", "the environment variable AWS_SECRET_ACCESS_KEY holds a blank"),
        ("shared-credentials-file", "aws_secret_access_key in /srv/credentials holds a blank"),
        ("custom-process", "the secret access key from custom-process holds a blank"),
    ],
)
def test_credentials_are_named_by_where_they_are_from(method: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable, a file, or whatever else gave them."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/srv/credentials")
    fault = credentials_fault(ReadOnlyCredentials("AKIA", "hu sh", None, None), method)
    assert fault is not None
    assert fault.startswith(said)
    assert "hu sh" not in fault


class Found:
    """What the SDK's chain finds."""

    method = "env"

    def __init__(self, *parts: str | None) -> None:
        self.frozen = ReadOnlyCredentials(*parts, None)

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return self.frozen


def reloading(*found: Found) -> ReloadingCredentials:
    """Credentials whose chain finds these, one after another."""
    waiting = list(found)

    async def load() -> Found:
        return waiting.pop(0)

    loader: Callable[[], object] = load
    return ReloadingCredentials(loader)  # type: ignore[arg-type]


@virtual_time.test
async def test_nothing_is_signed_with_what_cannot_be_sent() -> None:
    """It is reported at each try, as missing credentials are: the next reading of the credentials may find better ones."""
    import anyio

    credentials = reloading(Found("AKIA", "secret", "token\r\nX-Evil: 1"), Found("AKIA", "secret", "token"))
    for _ in range(2):
        with pytest.raises(CredentialRetrievalError) as raised:
            await credentials.get_frozen_credentials()
        failed = from_sdk(raised.value, "ReceiveMessage")
        assert isinstance(failed, CredentialsExpired)
        assert "AWS_SESSION_TOKEN" in failed.message
        assert "Evil" not in failed.message
    await anyio.sleep(ASK_AGAIN_SECONDS)
    with pytest.raises(CredentialRetrievalError):  # the last try with them, which has the chain asked anew
        await credentials.get_frozen_credentials()
    frozen = await credentials.get_frozen_credentials()
    assert frozen is not None
    assert frozen.token == "token"
