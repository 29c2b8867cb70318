"""The Helm chart, rendered by Helm itself and held to Kubernetes' schemas. Skipped where Helm is not to be had, with the reason."""

from __future__ import annotations

import base64
import copy
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from config import load
from tests.helm import CHART, NEWEST, OLDEST, Rendered, custom_faults, helm, kubernetes_faults, rendered

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)

QUEUE = {"event_source_arn": "arn:aws:sqs:us-east-1:000000000000:orders", "function_name": "orders"}
STREAM = {
    "event_source_arn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    "function_name": "orders",
    "starting_position": "TRIM_HORIZON",
    "maximum_record_age_in_seconds": 604_800,
}
FUNCTION = {"code": "./functions/orders", "handler": "app.handler", "timeout": 60}
TABLE = {"runtime": {"checkpoints": "dynamodb:headrace-{mapping}"}}


def inline(mapping: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    """Values with a configuration of one function and one mapping."""
    mappings = {"source": mapping} if mapping is not None else {}
    configuration = {"functions": {"orders": FUNCTION}, "event_source_mappings": mappings, **more}
    return {"configuration": {"inline": copy.deepcopy(configuration)}}


EVERYTHING = {
    **inline(
        STREAM,
        **TABLE,
        lambda_api={"host": "0.0.0.0", "credentials": [{"access_key_id": "x", "secret_access_key": "y"}]},
    ),
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccount": {"roleArn": "arn:aws:iam::000000000000:role/headrace"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "autoscaling": {"enabled": True, "maxReplicas": 16},
    "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
    "service": {"annotations": {"e": "f"}},
    "extraEnv": [{"name": "AWS_REGION", "value": "us-east-1"}],
    "extraEnvFrom": [{"secretRef": {"name": "orders"}}],
    "extraVolumes": [{"name": "models", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "models", "mountPath": "/models"}],
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "priorityClassName": "high",
}
EXISTING = {
    "configuration": {"existingSecret": "mine", "key": "h.yaml"},
    "token": {"existingSecret": "tokens", "key": "t"},
}
CONFIG_MAP = {"configuration": {"existingConfigMap": "mine", "checksum": 7}}
VOLUME = {**inline(STREAM), "persistence": {"enabled": True, "storageClassName": "gp3"}}
PROMETHEUS = {
    **inline(QUEUE),
    "autoscaling": {
        "enabled": True,
        "trigger": "prometheus",
        "prometheus": {"serverAddress": "http://prometheus:9090"},
    },
}
SOUND = {
    "everything": EVERYTHING,
    "queue": inline(QUEUE),
    "secret": EXISTING,
    "config map": CONFIG_MAP,
    "volume": VOLUME,
    "prometheus": PROMETHEUS,
}


def container(found: Rendered) -> dict[str, Any]:
    [one] = found.of("Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(one)


def environment(found: Rendered) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(found)["env"]}


def pod(found: Rendered) -> dict[str, Any]:
    return dict(found.of("Deployment")["spec"]["template"]["spec"])


@pytest.mark.parametrize("values", SOUND.values(), ids=SOUND.keys())
def test_what_is_rendered_is_what_kubernetes_takes(values: dict[str, Any], tmp_path: Path) -> None:
    """No warning; every resource keeps to the strict schemas of the oldest and of a new Kubernetes, or to its definition."""
    linted = helm("lint", CHART, "--strict", values=values, folder=tmp_path)
    assert linted.returncode == 0, linted.stdout
    assert "[WARNING]" not in linted.stdout
    found = rendered(values, tmp_path)
    assert not found.refusal
    own = [one for one in found.resources if "." not in one["apiVersion"] or one["apiVersion"].endswith(".k8s.io/v1")]
    assert [fault for one in own for version in (OLDEST, NEWEST) for fault in kubernetes_faults(one, version)] == []
    assert custom_faults([one for one in found.resources if one not in own]) == []


def test_a_schema_that_is_broken_is_noticed(tmp_path: Path) -> None:
    """What the schemas are asked, they answer."""
    found = rendered(EVERYTHING, tmp_path)
    deployment, scaled = found.of("Deployment"), found.of("ScaledObject")
    deployment["spec"]["replica"] = 1
    scaled["spec"]["maxReplicaCount"] = "many"
    assert any("replica" in fault for fault in kubernetes_faults(deployment, NEWEST))
    assert any("maxReplicaCount" in fault for fault in custom_faults([scaled]))


def test_the_configuration_is_one_that_headrace_takes(tmp_path: Path) -> None:
    """It loads as it is in the ConfigMap, with the numbers that were given, the server that probes need and a fitting grace."""
    values = inline(QUEUE, runtime={"http": {"port": 9999, "token": "in-plain-text"}})
    values["configuration"]["inline"]["functions"]["orders"]["timeout"] = 300
    found = rendered(values, tmp_path)
    text = found.of("ConfigMap")["data"]["headrace.yaml"]
    (tmp_path / "headrace.yaml").write_text(text)
    (tmp_path / "functions" / "orders").mkdir(parents=True)
    config = load(tmp_path / "headrace.yaml", environ={"HEADRACE_TOKEN": "a-token-of-some-length"}).config
    assert config.runtime.http
    assert (config.runtime.http.host, config.runtime.http.port) == ("0.0.0.0", 9999)
    assert config.runtime.http.token == "a-token-of-some-length"
    assert "in-plain-text" not in text
    assert config.runtime.shutdown_grace == 300
    assert config.functions["orders"].timeout == 300
    assert {"name": "http", "containerPort": 9999} in container(found)["ports"]
    assert found.of("Service")["spec"]["ports"] == [{"name": "http", "port": 9999, "targetPort": "http"}]


def test_large_numbers_stay_numbers(tmp_path: Path) -> None:
    """Helm reads them as floating-point numbers; none is written as 1e+06."""
    values = inline(STREAM, **TABLE, **{"x-number": 12_345_678_901})
    text = rendered(values, tmp_path).of("ConfigMap")["data"]["headrace.yaml"]
    assert "x-number: 12345678901\n" in text
    assert "maximum_record_age_in_seconds: 604800\n" in text


def test_a_pod_is_closed(tmp_path: Path) -> None:
    """Not root, nothing gained, a read-only root with folders for state and temporary files, no token of Kubernetes."""
    found = rendered(inline(QUEUE), tmp_path)
    one = container(found)
    assert pod(found)["securityContext"]["runAsNonRoot"] is True
    assert pod(found)["automountServiceAccountToken"] is False
    assert found.of("ServiceAccount")["automountServiceAccountToken"] is False
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
    assert mounts == {"configuration": "/app/headrace.yaml", "state": "/app/.headrace", "tmp": "/tmp"}
    assert one["args"] == ["run", "/app/headrace.yaml"]
    assert {volume["name"]: volume for volume in pod(found)["volumes"]}["state"] == {"name": "state", "emptyDir": {}}


def test_the_new_pod_comes_first_but_where_it_could_not_start(tmp_path: Path) -> None:
    """Surge first; with a volume, whose files one process owns, the old pod goes first. Probes are Headrace's own."""
    surge = rendered(inline(QUEUE), tmp_path)
    assert surge.of("Deployment")["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    one = container(surge)
    probes = {name: one[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    volume = rendered(VOLUME, tmp_path)
    assert volume.of("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert volume.of("PersistentVolumeClaim")["spec"]["storageClassName"] == "gp3"
    bound = rendered({**VOLUME, "persistence": {"enabled": True, "existingClaim": "mine"}}, tmp_path)
    assert "PersistentVolumeClaim" not in bound.kinds
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "mine"}} in pod(bound)["volumes"]


@pytest.mark.parametrize(
    ("timeouts", "runtime", "seconds"),
    [
        ([None], {}, 45),
        ([60], {}, 75),
        ([60, 900], {}, 915),
        ([60], {"shutdown_grace": 120}, 135),
        ([60], {"shutdown_grace": 5}, 75),
        (["${TIMEOUT}"], {}, 915),
        ([0.5], {"shutdown_grace": 2.5}, 18),
    ],
)
def test_kubernetes_waits_for_the_longest_function(
    timeouts: list[Any], runtime: dict[str, Any], seconds: int, tmp_path: Path
) -> None:
    """The longer of timeout and grace, and 15 s: more than the timeout and 5 s. Without a timeout Lambda's default counts."""
    values = inline(QUEUE, runtime=runtime)
    functions = {f"f{n}": {"handler": "a.b", **({} if t is None else {"timeout": t})} for n, t in enumerate(timeouts)}
    values["configuration"]["inline"]["functions"] = functions
    assert pod(rendered(values, tmp_path))["terminationGracePeriodSeconds"] == seconds
    short = rendered({**values, "terminationGracePeriodSeconds": seconds - 1}, tmp_path).refusal
    assert f"found terminationGracePeriodSeconds {seconds - 1}, expected {seconds} or more" in short
    long = rendered({**values, "terminationGracePeriodSeconds": 4000}, tmp_path)
    assert pod(long)["terminationGracePeriodSeconds"] == 4000


def test_of_a_configuration_that_exists_the_chart_believes_what_it_is_told(tmp_path: Path) -> None:
    """Which key, which times, which checksum; no ConfigMap of its own. Unknown timeouts may be as long as Lambda's longest."""
    found = rendered(EXISTING, tmp_path)
    assert "ConfigMap" not in found.kinds
    assert "Secret" not in found.kinds
    volumes = {volume["name"]: volume for volume in pod(found)["volumes"]}
    assert volumes["configuration"]["secret"] == {
        "secretName": "mine",
        "items": [{"key": "h.yaml", "path": "headrace.yaml"}],
    }
    assert environment(found)["HEADRACE_TOKEN"] == {"secretKeyRef": {"name": "tokens", "key": "t"}}
    assert pod(found)["terminationGracePeriodSeconds"] == 915
    short = {"configuration": {"existingConfigMap": "mine", "longestTimeoutSeconds": 20, "shutdownGraceSeconds": 30}}
    assert pod(rendered(short, tmp_path))["terminationGracePeriodSeconds"] == 45


def test_a_changed_configuration_replaces_the_pods(tmp_path: Path) -> None:
    """The pods' checksum is that of the configuration, and of what is said of an existing one."""

    def checksum(values: dict[str, Any]) -> str:
        metadata = rendered(values, tmp_path).of("Deployment")["spec"]["template"]["metadata"]
        return str(metadata["annotations"]["checksum/configuration"])

    assert checksum(inline(QUEUE)) == checksum(inline(QUEUE))
    assert checksum(inline(QUEUE)) != checksum(inline({**QUEUE, "batch_size": 5}))
    assert checksum(CONFIG_MAP) == "7"


@pytest.mark.parametrize(
    "mapping",
    [
        STREAM,
        {"EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026", "FunctionName": "orders"},
        {"event_source_arn": "arn:aws:rds:us-east-1:000000000000:cluster:shop", "function_name": "orders"},
        {"event_source_arn": "${STREAM_ARN}", "function_name": "orders", "starting_position": "LATEST"},
    ],
)
@pytest.mark.parametrize("more", [{"replicaCount": 2}, {"autoscaling": {"enabled": True, "maxReplicas": 2}}])
def test_replicas_that_would_double_a_stream_are_refused(
    mapping: dict[str, Any], more: dict[str, Any], tmp_path: Path
) -> None:
    """However the mapping is written and whatever makes the replicas; the text says what to do, and doing it is enough."""
    refusal = rendered({**inline(mapping), **more}, tmp_path).refusal
    assert "found 2 replicas with the stream mappings source and checkpoints in SQLite" in refusal
    assert 'Set configuration.inline.runtime.checkpoints: "dynamodb:TABLE"' in refusal
    done = rendered({**inline(mapping, **TABLE), **more}, tmp_path)
    assert environment(done)["HEADRACE_REPLICAS"] == "2"
    assert environment(done)["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_mappings_pasted_from_aws_are_seen_too(tmp_path: Path) -> None:
    """The reply of list-event-source-mappings is a list."""
    pasted = {"UUID": "u-1", "EventSourceArn": STREAM["event_source_arn"], "FunctionArn": "orders"}
    values = {**inline(None, EventSourceMappings=[pasted]), "replicaCount": 3}
    assert "found 3 replicas with the stream mappings u-1" in rendered(values, tmp_path).refusal


REFUSED = {
    "schedules": (
        {**inline(QUEUE, schedules={"nightly": {"schedule_expression": "rate(1 day)"}}), "replicaCount": 2},
        "found 2 replicas with the schedules nightly and checkpoints in SQLite",
    ),
    "no volume": (inline(STREAM), "found the stream mappings source with checkpoints in SQLite and no volume"),
    "shared volume": (
        {**inline(QUEUE), "replicaCount": 2, "persistence": {"enabled": True}},
        "found persistence.enabled with 2 replicas",
    ),
    "unknown": ({"configuration": {"existingSecret": "mine"}, "replicaCount": 2}, "cannot look into"),
    "none": ({}, "found 0 configurations, expected one"),
    "two": (
        {"configuration": {"inline": {"functions": {}}, "existingSecret": "mine"}},
        "found 2 configurations, expected one",
    ),
    "no server": (inline(QUEUE, runtime={"http": False}), "the probes need the HTTP server"),
    "bounds": (
        {**inline(QUEUE), "autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 4}},
        "found minReplicas 5 above maxReplicas 4",
    ),
    "no prometheus": (
        {**inline(QUEUE), "autoscaling": {"enabled": True, "trigger": "prometheus"}},
        "give autoscaling.prometheus.serverAddress",
    ),
    "misspelt": ({**inline(QUEUE), "replicas": 2}, "replicas"),
    "zero": ({**inline(QUEUE), "autoscaling": {"enabled": True, "minReplicas": 0}}, "minReplicas"),
}


@pytest.mark.parametrize(("values", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_work_is_refused_with_the_reason(values: dict[str, Any], told: str, tmp_path: Path) -> None:
    """By the template or by the schema of the values, before anything is installed."""
    assert told in rendered(values, tmp_path).refusal


def test_an_existing_configuration_may_be_shared_when_that_is_said(tmp_path: Path) -> None:
    """Nobody but its author knows."""
    values = {"configuration": {"existingSecret": "mine", "replicasMayShare": True}, "replicaCount": 3}
    assert rendered(values, tmp_path).of("Deployment")["spec"]["replicas"] == 3


def test_queues_alone_may_have_any_number_of_replicas(tmp_path: Path) -> None:
    """SQS shares them; a budget for disruptions comes along."""
    found = rendered({**inline(QUEUE), "replicaCount": 9}, tmp_path)
    assert found.of("Deployment")["spec"]["replicas"] == 9
    assert found.of("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_keda_asks_every_replica_for_the_numbers(tmp_path: Path) -> None:
    """By the service's name and namespace and the pods' port, with the token; the deployment names no number of replicas."""
    found = rendered(EVERYTHING, tmp_path)
    scaled = found.of("ScaledObject")["spec"]
    assert "replicas" not in found.of("Deployment")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 16)
    backlog, utilisation = (trigger["metadata"] for trigger in scaled["triggers"])
    assert backlog["url"] == utilisation["url"] == "http://rel-headrace.apps.svc:8787/api/scaling"
    assert (backlog["valueLocation"], backlog["aggregationType"]) == ("backlog_seconds", "max")
    assert (utilisation["valueLocation"], utilisation["aggregationType"]) == ("utilisation", "average")
    assert [trigger["metricType"] for trigger in scaled["triggers"]] == ["AverageValue", "Value"]
    reference = found.of("TriggerAuthentication")["spec"]["secretTargetRef"]
    assert reference == [{"parameter": "token", "name": "rel-headrace", "key": "token"}]


def test_keda_asks_prometheus_for_the_same(tmp_path: Path) -> None:
    """For this release's series alone."""
    found = rendered(PROMETHEUS, tmp_path)
    queries = [trigger["metadata"]["query"] for trigger in found.of("ScaledObject")["spec"]["triggers"]]
    assert queries == [
        'max(headrace_backlog_seconds{namespace="apps",service="rel-headrace"})',
        'avg(headrace_utilisation{namespace="apps",service="rel-headrace"})',
    ]
    assert "TriggerAuthentication" not in found.kinds


def test_aws_permissions_come_by_the_service_account(tmp_path: Path) -> None:
    """IRSA by an annotation, Pod Identity by the name alone, or an account that exists."""
    found = rendered(EVERYTHING, tmp_path)
    assert found.of("ServiceAccount")["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::000000000000:role/headrace"
    }
    assert pod(found)["serviceAccountName"] == "rel-headrace"
    other = rendered({**inline(QUEUE), "serviceAccount": {"create": False, "name": "mine"}}, tmp_path)
    assert "ServiceAccount" not in other.kinds
    assert pod(other)["serviceAccountName"] == "mine"


def test_a_token_that_is_given_is_the_one(tmp_path: Path) -> None:
    """Else one is made."""
    given = rendered({**inline(QUEUE), "token": {"value": "a-token-of-some-length"}}, tmp_path)
    assert base64.b64decode(given.of("Secret")["data"]["token"]) == b"a-token-of-some-length"
    made = base64.b64decode(rendered(inline(QUEUE), tmp_path).of("Secret")["data"]["token"])
    assert len(made) == 40


def test_notes_say_what_is_lost_without_a_volume(tmp_path: Path) -> None:
    """Helm prints them after an installation; here without a cluster."""
    values = inline(QUEUE, schedules={"nightly": {"schedule_expression": "rate(1 day)"}}, runtime={"shutdown_grace": 5})
    done = helm("install", "rel", CHART, "--dry-run=client", "-n", "apps", values=values, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert "WARNING: there is no volume" in notes
    assert "runtime.shutdown_grace is 5 s, and the longest function timeout 60 s" in notes


def test_the_values_of_the_document_render(tmp_path: Path) -> None:
    """Each block of values in docs/kubernetes.md, upon the first one."""
    document = (CHART.parents[2] / "docs" / "kubernetes.md").read_text()
    whole, *more = (
        yaml.safe_load(block) for block in re.findall(r"```yaml\n# values.yaml\n(.*?)```", document, re.DOTALL)
    )
    assert more
    for values in (whole, *({**whole, **one} for one in more)):
        found = rendered(values, tmp_path)
        assert pod(found)["terminationGracePeriodSeconds"] == 75
        assert int(environment(found)["HEADRACE_REPLICAS"]) > 1
