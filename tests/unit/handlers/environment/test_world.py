"""What functions are told of where they run: region, partition, account."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.models import Aws, Config, LambdaApi, Mapping, PythonFunction, SqsMapping
from handlers.environment.aws_variables import Profile
from handlers.environment.profile import profile_variables, read_profile
from handlers.environment.world import choose_region, function_arn, source_regions, world_in, world_of


def config(*regions: str) -> Config:
    """A function with a queue in each of these regions."""
    mappings: dict[str, Mapping] = {
        f"m{number}": SqsMapping(
            name=f"m{number}", event_source_arn=f"arn:aws:sqs:{region}:123456789012:q{number}", function_name="f"
        )
        for number, region in enumerate(regions)
    }
    return Config(functions={"f": PythonFunction(code=Path("/"), handler="a.b")}, event_source_mappings=mappings)


class TestRegion:
    """Never one that nobody named."""

    def test_it_is_that_of_the_event_source(self) -> None:
        """Whatever Headrace's own is."""
        sources = source_regions(config("eu-west-1", "eu-west-1"), "f")
        assert (
            choose_region(sources, "us-west-2", {"AWS_REGION": "us-east-1"}, Profile("us-east-2")).name == "eu-west-1"
        )

    @pytest.mark.parametrize(
        ("configured", "environ", "profile", "expected"),
        [
            ("a-1", {"AWS_REGION": "b-1", "AWS_DEFAULT_REGION": "c-1"}, "d-1", "a-1"),
            (None, {"AWS_REGION": "b-1", "AWS_DEFAULT_REGION": "c-1"}, "d-1", "b-1"),
            (None, {"AWS_DEFAULT_REGION": "c-1"}, "d-1", "c-1"),
            (None, {}, "d-1", "d-1"),
        ],
    )
    def test_without_a_source_it_is_headraces_own(
        self, configured: str | None, environ: dict[str, str], profile: str, expected: str
    ) -> None:
        """The configuration's, the environment's, the profile's."""
        found = choose_region((), configured, environ, Profile(profile))
        assert (found.name, found.doubt) == (expected, None)

    def test_sources_in_two_regions_are_said(self) -> None:
        """Its mappings do not agree: Headrace's own region, if it has one."""
        found = choose_region(source_regions(config("eu-west-1", "us-east-1"), "f"), "ap-south-1", {}, Profile())
        assert found.name == "ap-south-1"
        assert found.doubt is not None
        assert "eu-west-1 and us-east-1" in found.doubt

    def test_no_region_is_said_and_left_out(self) -> None:
        """A made-up one would send a handler's calls to somebody else's region."""
        found = choose_region((), None, {}, Profile())
        assert found.name == ""
        assert found.doubt is not None
        assert world_of(Aws(), environ={}).arn("f") == "arn:aws:lambda::000000000000:function:f"


def test_lambdas_api_has_all_functions_in_one_region() -> None:
    """It is in their ARNs, with the account; what a function is told of its own region is as it was."""
    served = config("eu-west-1").model_copy(update={"lambda_api": LambdaApi(account="123456789012")})
    world = world_in(served, "f", profile=Profile(), environ={})
    assert (world.arn("f"), world.region) == ("arn:aws:lambda:us-east-1:123456789012:function:f", "eu-west-1")
    none = Config(lambda_api=LambdaApi())
    assert world_in(none, "f", profile=Profile(), environ={}).region == ""
    given = Config(lambda_api=LambdaApi(region="ap-south-1"))
    world = world_in(given, "f", profile=Profile(), environ={})
    assert (world.arn("f"), world.region) == ("arn:aws:lambda:ap-south-1:000000000000:function:f", "ap-south-1")


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
        ("ddblocal", "aws"),
    ],
)
def test_a_functions_arn_is_in_its_regions_partition(region: str, partition: str) -> None:
    """As ``context.invoked_function_arn`` and failure records show it."""
    assert function_arn("f", region, "123456789012") == f"arn:{partition}:lambda:{region}:123456789012:function:f"


class TestProfile:
    """What is read from the SDKs' configuration files."""

    def test_settings_become_the_variables_that_say_the_same(self) -> None:
        """Only those that Headrace follows; credentials are none of them."""
        said = {
            "endpoint_url": "http://a",
            "use_fips_endpoint": "true",
            "role_arn": "r",
            "s3": {"addressing_style": "x"},
        }
        known: dict[str | None, object] = {"use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT", "region": "AWS_DEFAULT_REGION"}
        services = {"dynamodb_streams": {"endpoint_url": "http://b"}, "broken": "x"}
        assert profile_variables(said, services, known) == {
            "AWS_ENDPOINT_URL": "http://a",
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://b",
        }

    def test_the_sdks_own_files_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The profile that AWS_PROFILE names, with its services section."""
        file = tmp_path / "config"
        file.write_text(
            "[profile work]\nregion = eu-central-1\nuse_dualstack_endpoint = true\nca_bundle = /ca.pem\nservices = mine\n"
            "[services mine]\nsqs =\n  endpoint_url = http://q:1\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_PROFILE", "work")
        assert read_profile() == Profile(
            "eu-central-1",
            {
                "AWS_USE_DUALSTACK_ENDPOINT": "true",
                "AWS_CA_BUNDLE": "/ca.pem",
                "AWS_ENDPOINT_URL_SQS": "http://q:1",
            },
            Path.cwd(),
        )

    def test_a_profile_that_does_not_exist_says_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The clients that are made with it say what is wrong."""
        file = tmp_path / "config"
        file.write_text("[default]\nregion = eu-central-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
        monkeypatch.setenv("AWS_PROFILE", "missing")
        assert read_profile() == Profile()
