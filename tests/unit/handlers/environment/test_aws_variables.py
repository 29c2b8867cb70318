"""Which of the SDKs' variables reach a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.loaders import Loader

from config.models import Aws, EndpointUrls, PythonFunction
from handlers.environment.aws_variables import (
    CREDENTIAL_VARIABLES,
    FOLLOWED_VARIABLES,
    Profile,
    credential_variables,
    followed_variables,
    headrace_variables,
    with_loopback_direct,
)

FOLDER = Path("/srv/headrace")
NOT_FOLLOWED = {
    "AWS_DEFAULT_REGION",  # a worker's is decided by its event source
    "AWS_RETRY_MODE",
    "AWS_MAX_ATTEMPTS",
    "AWS_DEFAULTS_MODE",
    "AWS_SDK_UA_APP_ID",
    "AWS_CSM_ENABLED",
    "AWS_CSM_HOST",
    "AWS_CSM_PORT",
    "AWS_CSM_CLIENT_ID",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    "AWS_DISABLE_REQUEST_COMPRESSION",
    "BOTOCORE_TCP_KEEPALIVE",
}
"""The SDK's variables that Headrace's own calls do not follow."""


def aws(**settings: object) -> Aws:
    """The ``aws`` section."""
    return Aws.model_validate(settings)


def followed(
    environ: dict[str, str],
    section: Aws | None = None,
    profile: dict[str, str] | None = None,
    **settings: Any,  # noqa: ANN401 - of the model
) -> dict[str, str]:
    """What a worker finds of how AWS is reached."""
    model = PythonFunction(code=Path("/code"), handler="app.handler", **settings)
    said = Profile(None, profile or {}, FOLDER)
    return followed_variables(model, headrace_variables(environ, section or Aws(), said, FOLDER), said)


def credentials(environ: dict[str, str], **own: str) -> dict[str, str]:
    """What a worker finds of Headrace's credentials beside its own variables."""
    model = PythonFunction(code=Path("/code"), handler="app.handler", environment=own)
    return credential_variables(model, environ, Path("/scratch"))


def test_every_variable_of_the_sdk_is_passed_or_left_out_on_purpose() -> None:
    """A new version of the SDK that follows another one is noticed here."""
    names: set[str] = set()
    for _, variables, *_ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values():
        names.update([variables] if isinstance(variables, str) else variables or [])
    assert names - NOT_FOLLOWED <= {*CREDENTIAL_VARIABLES, *FOLLOWED_VARIABLES}


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "HTTP_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
    ],
)
@pytest.mark.parametrize("withheld", ["inherit", "none"])
def test_how_headrace_reaches_aws_reaches_its_workers(name: str, withheld: str) -> None:
    """Whether or not they get its credentials; and a function's own value wins."""
    assert followed({name: "value"}, credentials=withheld) == {name: "value"}
    assert name not in followed({name: "value"}, environment={name: "own", "AWS_ENDPOINT_URL": "own"}) or (
        name not in ("AWS_ENDPOINT_URL", "HTTP_PROXY")
    )


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_relative_path_is_headraces_not_the_workers(name: str) -> None:
    """A worker's working directory is its code folder."""
    assert followed({name: "tls/ca.pem"}) == {name: "/srv/headrace/tls/ca.pem"}
    assert followed({name: "/etc/ca.pem"}) == {name: "/etc/ca.pem"}


class TestEndpoints:
    """The ``aws`` section wins over Headrace's environment, and a function's own word over both."""

    def test_configured_endpoints_reach_workers(self) -> None:
        """Under the SDKs' own names. DynamoDB's is also that of its streams, as for Headrace itself."""
        section = aws(endpoint_url="http://a:1", endpoint_urls={"dynamodb": "http://b:2"})
        assert followed({}, section) == {
            "AWS_ENDPOINT_URL": "http://a:1",
            "AWS_ENDPOINT_URL_DYNAMODB": "http://b:2",
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://b:2",
        }

    def test_a_connection_uri_is_no_endpoint_of_the_sdk(self) -> None:
        """Workers do not get it: it may have a password, and no SDK looks for it."""
        assert followed({}, aws(endpoint_urls={"documentdb": "mongodb://u:s3cret@db/", "sqs": "http://a:1"})) == {
            "AWS_ENDPOINT_URL_SQS": "http://a:1"
        }

    @pytest.mark.parametrize("option", [name for name in EndpointUrls.model_fields if name != "documentdb"])
    def test_every_option_has_the_variable_that_the_sdk_looks_for(self, option: str) -> None:
        """The SDK makes its name of the service's own id, which may differ from the option's: DynamoDB Streams, EventBridge."""
        service = option.rstrip("_")
        service_id = Loader().load_service_model(service, "service-2")["metadata"]["serviceId"]
        variable = f"AWS_ENDPOINT_URL_{service_id.replace(' ', '_').upper()}"
        assert followed({}, aws(endpoint_urls={service: "http://a:1"}))[variable] == "http://a:1"

    def test_an_endpoint_of_every_service_hides_those_of_the_environment(self) -> None:
        """For Headrace it wins over AWS_ENDPOINT_URL_SQS; the SDK in a worker would see it the other way round."""
        environ = {"AWS_ENDPOINT_URL_SQS": "http://old:1", "AWS_ENDPOINT_URL": "http://old:2"}
        assert followed(environ, aws(endpoint_url="http://a:1")) == {"AWS_ENDPOINT_URL": "http://a:1"}

    def test_an_endpoint_of_one_service_leaves_the_others(self) -> None:
        """They are the environment's."""
        environ = {"AWS_ENDPOINT_URL_SQS": "http://old:1", "AWS_ENDPOINT_URL": "http://old:2"}
        assert followed(environ, aws(endpoint_urls={"sqs": "http://a:1"})) == {
            "AWS_ENDPOINT_URL_SQS": "http://a:1",
            "AWS_ENDPOINT_URL": "http://old:2",
        }

    @pytest.mark.parametrize("where", ["environment", "profile"])
    def test_what_headrace_is_configured_with_is_never_ignored(self, where: str) -> None:
        """AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is about the environment and profiles; a worker sees one environment only."""
        ignoring = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
        environ = {"AWS_ENDPOINT_URL": "http://ignored:1", **(ignoring if where == "environment" else {})}
        found = followed(environ, aws(endpoint_urls={"sqs": "http://a:1"}), ignoring if where == "profile" else {})
        assert found == {"AWS_ENDPOINT_URL_SQS": "http://a:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}

    def test_a_functions_endpoint_of_every_service_wins_over_those_of_one(self) -> None:
        """It would lose to them in the worker's own SDK."""
        section = aws(endpoint_urls={"sqs": "http://a:1"})
        assert followed({}, section, environment={"AWS_ENDPOINT_URL": ""}) == {}
        own = {"AWS_ENDPOINT_URL_SQS": "http://own:1"}
        assert followed({}, section, environment=own) == {"AWS_ENDPOINT_URL_SQS": "http://a:1"}  # overwritten later


class TestProfiles:
    """Settings of ``~/.aws/config`` reach a worker: by the file itself, or where that is withheld as variables."""

    SAID: dict[str, str] = {  # noqa: RUF012 - a constant
        "AWS_ENDPOINT_URL_SQS": "http://p:1",
        "AWS_USE_FIPS_ENDPOINT": "true",
    }

    def test_a_worker_that_reads_the_file_needs_no_variables(self) -> None:
        """Its SDK finds the same as Headrace's."""
        assert followed({}, profile=self.SAID) == {}

    def test_withheld_credentials_do_not_withhold_endpoints(self) -> None:
        """What the profile says of them is passed; the environment wins over it as in the SDK."""
        assert followed({}, profile=self.SAID, credentials="none") == self.SAID
        environ = {"AWS_ENDPOINT_URL": "http://e:1", "AWS_USE_FIPS_ENDPOINT": "false"}
        assert followed(environ, profile=self.SAID, credentials="none") == environ

    def test_a_function_with_a_profile_of_its_own_has_that_ones_settings(self) -> None:
        """Headrace's profile has nothing to say there."""
        said = {**self.SAID, "AWS_CA_BUNDLE": "tls/ca.pem"}
        assert followed({}, profile=said, environment={"AWS_PROFILE": "other"}) == {}
        assert followed({}, profile=said, environment={"AWS_CONFIG_FILE": "/other"}) == {}

    @pytest.mark.parametrize("withheld", ["inherit", "none"])
    def test_a_relative_path_of_the_profile_is_headraces_not_the_workers(self, withheld: str) -> None:
        """The SDK takes it from the working directory, and a worker's is its code folder; the environment wins as ever."""
        said = {"AWS_CA_BUNDLE": "tls/ca.pem"}
        assert followed({}, profile=said, credentials=withheld) == {"AWS_CA_BUNDLE": "/srv/headrace/tls/ca.pem"}
        found = followed({"AWS_CA_BUNDLE": "/etc/ca.pem"}, profile=said, credentials=withheld)
        assert found == {"AWS_CA_BUNDLE": "/etc/ca.pem"}

    def test_endpoints_that_the_profile_says_to_ignore_are_not_brought_back(self) -> None:
        """By the configured one of another service, for whose sake nothing is ignored in the worker."""
        said = {"AWS_ENDPOINT_URL": "http://p:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
        found = followed({}, aws(endpoint_urls={"sqs": "http://a:1"}), said, credentials="none")
        assert found == {"AWS_ENDPOINT_URL_SQS": "http://a:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}

    def test_a_function_with_a_web_identity_of_its_own_keeps_the_endpoints(self) -> None:
        """Headrace's profile is hidden from it, as its credentials would win; not what it says of endpoints."""
        own = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/a"}
        assert followed({}, profile=self.SAID, environment=own) == self.SAID


class TestCredentials:
    """A source of credentials that a function names is not mixed with Headrace's own."""

    HEADRACE: dict[str, str] = {  # noqa: RUF012 - a constant
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_PROFILE": "ours",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1",
        "HOME": "/home/me",
    }

    def test_keys_of_its_own_come_without_headraces_session_token(self) -> None:
        """A token of other keys would have every call refused."""
        found = credentials(self.HEADRACE, AWS_ACCESS_KEY_ID="own", AWS_SECRET_ACCESS_KEY="own")
        assert not {"AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"} & set(found)

    def test_a_profile_of_its_own_is_not_beaten_by_headraces_keys(self) -> None:
        """In the SDKs, keys in the environment win over a profile."""
        found = credentials(self.HEADRACE, AWS_PROFILE="own")
        assert set(found) == {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "HOME"}

    def test_a_container_role_of_its_own_is_not_beaten_by_anything(self) -> None:
        """It comes last in the SDKs' order."""
        found = credentials(self.HEADRACE, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/own")
        assert set(found) == {"HOME"}

    def test_a_role_of_its_own_with_headraces_web_identity(self) -> None:
        """One token may be good for several roles."""
        environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "ours"}
        assert credentials(environ, AWS_ROLE_ARN="own")["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/token"


class TestProxies:
    """The Runtime API is on loopback, where no proxy reaches it."""

    def test_loopback_is_reached_directly_where_there_is_a_proxy(self) -> None:
        """Whichever spelling a program reads first."""
        found = with_loopback_direct({"HTTPS_PROXY": "http://proxy:3128"})
        assert found["NO_PROXY"] == found["no_proxy"] == "127.0.0.1"
        found = with_loopback_direct({"http_proxy": "http://proxy:3128", "NO_PROXY": "a.example, b.example"})
        assert found == {"http_proxy": "http://proxy:3128", "NO_PROXY": "a.example,b.example,127.0.0.1"}

    @pytest.mark.parametrize("hosts", ["*", "127.0.0.1", "a.example,127.0.0.1"])
    def test_what_says_so_already_stays(self, hosts: str) -> None:
        """``*`` is every host."""
        assert with_loopback_direct({"HTTP_PROXY": "http://p", "NO_PROXY": hosts})["NO_PROXY"] == hosts

    def test_without_a_proxy_nothing_is_added(self) -> None:
        """On most machines."""
        assert with_loopback_direct({"NO_PROXY": "a", "X": "y"}) == {"NO_PROXY": "a", "X": "y"}

    def test_a_functions_own_proxy_wins_whatever_its_spelling(self) -> None:
        """Programs read the lower-case name first."""
        assert followed({"http_proxy": "http://ours"}, environment={"HTTP_PROXY": "http://own"}) == {}
