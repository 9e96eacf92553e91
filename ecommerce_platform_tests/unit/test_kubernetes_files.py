"""The files for Kubernetes: accepted by the API's schemas, and the same limits as everywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ecommerce_platform.settings import PREFIX, PROJECT_DIR, Settings

pytestmark = pytest.mark.unit

FOLDER = PROJECT_DIR / "deploy" / "kubernetes"
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
OBJECTS = [*yaml.safe_load_all((FOLDER / "platform.yaml").read_text()), *VALUES["extraManifests"]]
INSTANCE = yaml.safe_load((PROJECT_DIR / "dagster.yaml").read_text())
COMPOSE = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())["services"]
KUBERNETES = "1.34"
"""A version that clusters run; the files use nothing that newer ones drop."""

(CODE,) = VALUES["dagster-user-deployments"]["deployments"]


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == kind}


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("Deployment", "Job"):
        for name, each in named(kind).items():
            yield name, each["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", [KUBERNETES, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_the_api_accepts_each_object(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_api_accepts_what_the_chart_passes_on() -> None:
    """The chart copies these values into pods, where only the cluster would notice a mistake."""
    for part in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE):
        probe = {name: value for name, value in part.get("readinessProbe", {}).items() if name != "enabled"}
        container = {
            "name": "main",
            "image": f"{part['image']['repository']}:{part['image']['tag']}",
            "env": part.get("env", []),
            "envFrom": [{"secretRef": secret} for secret in part.get("envSecrets", [])],
            "resources": part["resources"],
            "securityContext": part["securityContext"],
            "volumeMounts": part["volumeMounts"],
            **({"readinessProbe": probe} if probe.get("httpGet") else {}),
        }
        spec = {"containers": [container], "volumes": part["volumes"], "securityContext": part["podSecurityContext"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": part["labels"]}, "spec": spec}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    run = VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    template = {
        "spec": {**run["podSpecConfig"], "containers": [{"name": "run", "image": "x:1", **run["containerConfig"]}]}
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "run"}}
    kubernetes_validate.validate(
        {**job, "spec": {**run["jobSpecConfig"], "template": template}}, KUBERNETES, strict=True
    )


def test_the_limits_of_runs_are_those_of_the_instance_file() -> None:
    runs, pools = VALUES["concurrency"]["runs"], VALUES["concurrency"]["pools"]
    assert {"max_concurrent_runs": runs["maxConcurrentRuns"]} == INSTANCE["concurrency"]["runs"]
    assert {"default_limit": pools["defaultLimit"], "granularity": pools["granularity"]} == INSTANCE["concurrency"][
        "pools"
    ]
    daemon = VALUES["dagsterDaemon"]
    watched = daemon["runMonitoring"]
    assert INSTANCE["run_monitoring"] == {
        "enabled": watched["enabled"],
        "poll_interval_seconds": watched["pollIntervalSeconds"],
        "start_timeout_seconds": watched["startTimeoutSeconds"],
        "cancel_timeout_seconds": watched["cancelTimeoutSeconds"],
        "free_slots_after_run_end_seconds": watched["freeSlotsAfterRunEndSeconds"],
    }
    retries = daemon["runRetries"]
    assert INSTANCE["run_retries"] == {
        "enabled": retries["enabled"],
        "max_retries": retries["maxRetries"],
        "retry_on_asset_or_op_failure": retries["retryOnAssetOrOpFailure"],
    }
    sensors = daemon["sensors"]
    assert INSTANCE["sensors"] == {"use_threads": sensors["useThreads"], "num_workers": sensors["numWorkers"]}
    kept = {"schedule": "schedule", "sensor": "sensor", "auto_materialize": "autoMaterialize"}
    for name, theirs in kept.items():
        assert VALUES["retention"][theirs]["purgeAfterDays"] == INSTANCE["retention"][name]["purge_after_days"]
    assert VALUES["pythonLogs"]["pythonLogLevel"] == INSTANCE["python_logs"]["python_log_level"]
    assert VALUES["additionalInstanceConfig"]["freshness"] == INSTANCE["freshness"]
    assert VALUES["telemetry"]["enabled"] is False


def test_no_container_is_root_or_writes_to_its_image() -> None:
    contexts = [(name, spec["securityContext"], container) for name, spec in pods() for container in containers(spec)]
    for part in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE):
        contexts.append((str(part["labels"]), part["podSecurityContext"], part))
    assert len(contexts) == 9
    for name, pod, container in contexts:
        assert pod["runAsNonRoot"], name
        assert pod["runAsUser"] > 0, name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert not container["securityContext"]["allowPrivilegeEscalation"], name
        assert {"requests", "limits"} <= set(container["resources"]), name


def test_only_the_migrations_have_the_password_of_the_owner() -> None:
    owners = [name for name, spec in pods() if "ecommerce-owner" in str(spec)]
    assert owners == ["ecommerce-migrations"]
    assert "ecommerce-owner" not in str({key: value for key, value in VALUES.items() if key != "extraManifests"})
    job = named("Job")["ecommerce-migrations"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["initContainers"]
    (dagster,) = job["spec"]["template"]["spec"]["containers"]
    assert "owner" not in str(dagster)
    ours = [re.sub(r"/\S+", "", word) for word in container["command"]]
    theirs = [re.sub(r"/\S+", "", word) for word in COMPOSE["init"]["command"]]
    assert ours == theirs


def test_no_password_is_written_down_and_every_image_has_a_version() -> None:
    for name in ("values.yaml", "platform.yaml"):
        text = (FOLDER / name).read_text()
        assert not re.search(r"://[^/\s:@]+:[^@\s]+@", text)
        assert "latest" not in re.sub(r"#.*", "", text)
        for setting in re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", text):
            assert setting.removeprefix(PREFIX).lower() in {*Settings.model_fields, "storage_url"}, setting
    images = {container["image"] for _, spec in pods() for container in containers(spec)}
    assert [image for image in images if not re.search(r":v?\d+\.\d+", image)] == []
    assert {VALUES[part]["image"]["tag"] for part in ("dagsterWebserver", "dagsterDaemon")} == {CODE["image"]["tag"]}


def test_only_a_login_reaches_dagster_and_the_dashboards() -> None:
    reached: dict[str, tuple[list[str], int]] = {}
    for policy in named("NetworkPolicy").values():
        for rule in policy["spec"].get("ingress", []):
            (expression,) = policy["spec"]["podSelector"]["matchExpressions"]
            sources = [
                value
                for peer in rule["from"]
                for value in [
                    *(v for e in peer.get("podSelector", {}).get("matchExpressions", []) for v in e["values"]),
                    *peer.get("namespaceSelector", {}).get("matchLabels", {}).values(),
                ]
            ]
            for part in expression["values"]:
                reached[part] = (sources, rule["ports"][0]["port"])
    assert named("NetworkPolicy")["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert reached == {
        "login-dagster": (["ingress-nginx"], 4180),
        "login-dashboards": (["ingress-nginx"], 4180),
        "dashboards": (["login-dashboards"], 8050),
        "webserver": (["login-dagster"], VALUES["dagsterWebserver"]["service"]["port"]),
        "code": (["webserver", "daemon"], CODE["port"]),
        "metrics": (["monitoring"], 9464),
    }
    known = {VALUES[part]["labels"]["ecommerce/part"] for part in ("dagsterWebserver", "dagsterDaemon")}
    known |= {CODE["labels"]["ecommerce/part"], *named("Deployment")}
    assert {part for part, _ in reached.items()} | {"daemon"} == known


def test_each_backend_of_the_ingress_is_a_login_and_each_upstream_a_service() -> None:
    (ingress,) = named("Ingress").values()
    for rule in ingress["spec"]["rules"]:
        (path,) = rule["http"]["paths"]
        name = path["backend"]["service"]["name"]
        (container,) = named("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        assert f"--redirect-url=https://{rule['host']}/oauth2/callback" in container["args"]
        (upstream,) = [word for word in container["args"] if word.startswith("--upstream=")]
        host, port = upstream.removeprefix("--upstream=http://").split(":")
        ports = (
            {item["port"] for item in named("Service")[host]["spec"]["ports"]} if host in named("Service") else set()
        )
        assert int(port) in ports or (host, int(port)) == ("dagster-dagster-webserver", 3000)
    for name, service in named("Service").items():
        template = named("Deployment")[name]["spec"]["template"]
        assert service["spec"]["selector"] == template["metadata"]["labels"]


def test_a_disruption_leaves_one_of_two() -> None:
    for name, budget in named("PodDisruptionBudget").items():
        assert budget["spec"]["minAvailable"] == 1
        assert named("Deployment")[name]["spec"]["replicas"] == 2


def test_an_upgrade_changes_no_job() -> None:
    """A job cannot be changed: its name must be new each time, or it must be a hook, which Helm deletes first."""
    assert VALUES["migrate"]["enabled"] is False
    for job in named("Job").values():
        assert job["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["dagster", "instance", "migrate"]


def test_whoever_reads_the_bucket_knows_it_and_has_its_credentials() -> None:
    manager = VALUES["computeLogManager"]["config"]["customComputeLogManager"]
    assert manager == {**INSTANCE["compute_logs"], "config": {}}
    urls = []
    for part in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE):
        assert part["envSecrets"] == [{"name": "ecommerce-storage"}]
        urls += [item["value"] for item in part["env"] if item["name"] == f"{PREFIX}STORAGE_URL"]
    assert urls == [urls[0]] * 3


def test_the_metrics_are_restarted_if_they_hang() -> None:
    (container,) = named("Deployment")["metrics"]["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == container["readinessProbe"]["httpGet"]
