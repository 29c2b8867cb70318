"""Whatever a manifest, a file of assets or a stack's description holds: it is read, or refused with file and line."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from config.faults import ConfigError
from config.text.nodes import Unparsable
from pollers.importing.cloudformation.stack import read_stacks
from tests.unit.importing.templates import imported_from

NAMES = st.sampled_from(["S", "S.json", "manifest.json", "..", ".", "", "/etc", "a" * 300, "\0", "é"])
SINGLE = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | NAMES
ANY = st.recursive(
    SINGLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | NAMES, inner, max_size=3),
    max_leaves=6,
)
ARTIFACTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["aws:cloudformation:stack", "cdk:cloud-assembly"]) | ANY},
    optional={
        "properties": st.fixed_dictionaries({}, optional={"templateFile": NAMES | ANY, "directoryName": NAMES | ANY})
        | ANY,
        "environment": st.just("aws://1/x") | ANY,
        "metadata": st.dictionaries(st.text(max_size=3), st.lists(ANY, max_size=2), max_size=2) | ANY,
        "additionalMetadataFile": NAMES | ANY,
        "displayName": ANY,
    },
)
MANIFESTS = st.fixed_dictionaries({"artifacts": st.dictionaries(NAMES, ARTIFACTS | ANY, max_size=3) | ANY}) | ANY
TABLES = st.dictionaries(
    st.sampled_from(
        [
            "StackResources",
            "Stacks",
            "Outputs",
            "Exports",
            "Parameters",
            "StackId",
            "OutputKey",
            "OutputValue",
            "Name",
            "Value",
        ]
    ),
    ANY,
    max_size=4,
)


@settings(max_examples=50, deadline=None)
@given(MANIFESTS, ANY)
def test_any_assembly_is_read_or_refused(manifest: object, assets: object) -> None:
    """Names that lead out of it, that are no names, and assemblies that hold themselves."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "cdk.out")
        out.mkdir()
        (out / "manifest.json").write_text(json.dumps(manifest))
        (out / "S.assets.json").write_text(json.dumps(assets))
        (out / "S.json").write_text('{"Resources": {}}')
        with contextlib.suppress(Unparsable, ConfigError):
            imported_from(out, Path(folder))


@settings(max_examples=50, deadline=None)
@given(
    TABLES
    | st.lists(TABLES, max_size=3)
    | st.builds(lambda inner: {"Stacks": inner}, st.lists(TABLES, max_size=3))
    | ANY
)
def test_any_description_of_a_stack_is_read_or_refused(description: object) -> None:
    """Whatever the AWS CLI may print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stack.json")
        path.write_text(json.dumps(description))
        with contextlib.suppress(Unparsable):
            _ = read_stacks([path]).outermost.pseudo
