"""The files of docs/DEPLOYMENT.md: what reads them takes them, and they fit the service."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import kubernetes_validate
import pytest
import yaml

from app import server
from app.auth import mail
from app.settings import Settings
from app.settings.environment import declared, groups
from tests.security.raw import auth_service
from tests.support import (
    IN_CI,
    LOCAL_PROXY,
    ROOT,
    SECRET,
    Server,
    Service,
    answers,
    end,
    free_port,
    wait_until,
)

SETTINGS: Final = {
    setting.name for group in groups(Settings) for setting in declared(group).values()
}
IMAGE: Final = (ROOT / "Dockerfile").read_text()
UNIT: Final = ROOT / "deploy/systemd/gatepost.service"
KUBERNETES: Final = ROOT / "deploy/kubernetes"
NGINX: Final = ROOT / "deploy/nginx/gatepost.conf"

STOP: Final = server._SHUTDOWN_TIMEOUT + mail._STOP_TIMEOUT + 4  # and the traces
"""Seconds that the service takes at most to stop."""

VISITOR: Final = "127.0.0.2"
"""The address of nginx's visitor; nginx itself has 127.0.0.1."""

COMPOSE: Final = {
    "POSTGRES_PASSWORD": "owner1",
    "SERVICE_PASSWORD": "service1",
    "GATEPOST_SERVICE_KEYS": f"backend:{'0' * 64}:read",
}


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((os.environ["PATH"], "/usr/sbin")))
    if found is None:
        missing = f"no {name}: apt-get install {package}"
        pytest.fail(missing) if IN_CI else pytest.skip(missing)
    return found


def run(*command: str | Path, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, **given
    )  # fmt: skip


def compose(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Docker Compose's own reading of the file; it needs no engine for that."""
    file = shutil.copy(ROOT / "compose.yaml", folder)
    parser = Path(sys.executable).with_name("docker-compose")
    return run(parser, "-f", file, "config", "--format", "json", env=variables, cwd=folder)


def test_compose_file_starts_each_step_after_the_one_it_needs(tmp_path: Path) -> None:
    done = compose(tmp_path, **COMPOSE)
    assert (done.returncode, done.stderr) == (0, "")
    services = json.loads(done.stdout)["services"]
    after = {name: service.get("depends_on", {}) for name, service in services.items()}
    assert {name: {n: d["condition"] for n, d in each.items()} for name, each in after.items()} == {
        "postgres": {},
        "role": {"postgres": "service_healthy"},
        "migrate": {"role": "service_completed_successfully"},
        "service": {"migrate": "service_completed_successfully"},
    }
    for name in ("role", "migrate", "service"):
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    service = services["service"]
    assert service["ports"][0]["host_ip"] == "127.0.0.1"
    assert "owner1" not in json.dumps(service)
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP
    assert set(service["environment"]) <= SETTINGS


def test_compose_file_passes_on_providers_and_builds_their_packages(tmp_path: Path) -> None:
    providers = '[{"id": "github", "client_id": "a", "client_secret": "b$$c"}]'
    given = {"GATEPOST_PROVIDERS": providers, "REQUIREMENTS": "social"}
    light, social = (
        json.loads(compose(tmp_path, **COMPOSE, **more).stdout)["services"] for more in ({}, given)
    )
    assert light["service"]["environment"]["GATEPOST_PROVIDERS"] == ""
    assert social["service"]["environment"]["GATEPOST_PROVIDERS"].replace("$$", "$") == providers
    for services, name in ((light, "service"), (social, "social")):
        for step in ("migrate", "service"):
            assert services[step]["build"]["args"] == {"REQUIREMENTS": name}


def test_image_can_be_built_with_the_packages_of_providers_and_of_the_admin_page() -> None:
    assert "-r requirements/${REQUIREMENTS}.txt" in IMAGE
    service, social, admin = (
        set((ROOT / "requirements" / f"{name}.txt").read_text().splitlines())
        for name in ("service", "social", "admin")
    )
    assert service < social < admin
    packages = {line.partition("==")[0] for line in social - service if "==" in line}
    assert packages == {"certifi", "cryptography", "httpcore", "httpx"}
    more = {line.partition("==")[0] for line in admin - social if "==" in line}
    assert {"jinja2", "markupsafe", "ua-parser"} <= more


@pytest.mark.parametrize("missing", COMPOSE)
def test_compose_file_without_a_required_value_is_refused_and_names_it(
    missing: str, tmp_path: Path
) -> None:
    done = compose(tmp_path, **{name: v for name, v in COMPOSE.items() if name != missing})
    assert done.returncode != 0
    assert f"required variable {missing} is missing" in done.stderr


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is here."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/gatepost/bin/gatepost", sys.executable))
    return path


def test_unit_is_valid_and_confined(unit: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    verified = run(analyze, "verify", "--man=no", unit)
    assert (verified.returncode, verified.stderr) == (0, "")
    # tenths of the exposure level: 9.6 is a unit that says nothing
    judged = run(analyze, "security", "--offline=true", "--no-pager", "--threshold=15", unit)
    assert judged.returncode == 0, judged.stdout


def test_unit_gives_the_service_time_to_stop_and_names_settings() -> None:
    text = UNIT.read_text()
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[method-assign]
    unit.read_string(text)
    assert int(unit["Service"]["TimeoutStopSec"]) > STOP
    assert unit["Service"]["RestartPreventExitStatus"] == "2"
    named = {n for n in re.findall(r"^Environment=(\w+)=", text, re.MULTILINE) if "PYTHON" not in n}
    assert named == {"GATEPOST_SERVICE_KEYS_FILE"} <= SETTINGS


def manifests(kind: str) -> Iterator[dict[str, Any]]:
    """The objects of a kind in deploy/kubernetes."""
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for item in yaml.safe_load_all(path.read_text()):
            if item["kind"] == kind:
                yield item


def only(kind: str) -> dict[str, Any]:
    [item] = manifests(kind)
    return item


def test_manifests_are_what_kubernetes_takes() -> None:
    kinds = []
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for item in yaml.safe_load_all(path.read_text()):
            kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)
            kinds.append(item["kind"])
    assert sorted(kinds) == ["Deployment", "Job", "PodDisruptionBudget", "Service"]
    broken = only("Deployment")
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_pods_are_confined_as_the_image_allows(kind: str) -> None:
    pod = only(kind)["spec"]["template"]["spec"]
    user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert f"USER {user}\n" in IMAGE
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # GATEPOST_PORT=tcp://… and others, by its name
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {item["name"] for item in container.get("env", ())} <= SETTINGS


def test_pods_have_the_time_to_stop_and_the_same_image() -> None:
    pod = only("Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [_, seconds] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + STOP
    [job] = only("Job")["spec"]["template"]["spec"]["containers"]
    assert job["image"] == container["image"]
    assert container["readinessProbe"]["timeoutSeconds"] > 5  # GATEPOST_ACQUIRE_TIMEOUT


def test_selectors_find_the_pods_and_only_those_of_the_service() -> None:
    labels = only("Deployment")["spec"]["template"]["metadata"]["labels"]
    job = only("Job")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        only("Deployment")["spec"]["selector"]["matchLabels"],
        only("Service")["spec"]["selector"],
        only("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert not selector.items() <= job.items()


def test_probes_and_ports_are_those_of_the_service(service: Service) -> None:
    template = only("Deployment")["spec"]["template"]
    [container] = template["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == "http"
        assert answers(service.url + asked["path"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"PORT={ports['http']}\n" in IMAGE
    assert only("Service")["spec"]["ports"][0]["targetPort"] == "http"
    env = {item["name"]: item["value"] for item in container["env"]}
    scraped = template["metadata"]["annotations"]
    assert env["GATEPOST_METRICS_PORT"] == scraped["prometheus.io/port"] == str(ports["metrics"])
    assert answers(service.metrics.replace("/metrics", scraped["prometheus.io/path"]))


@contextmanager
def nginx(service: Service, folder: Path) -> Iterator[httpx.Client]:
    """A visitor of nginx as in the file, with a certificate, a port and the service of the test."""
    key, certificate = folder / "server.key", folder / "server.crt"
    made = run(
        program("openssl", "openssl"), "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-days", "2", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    port = free_port()
    site = NGINX.read_text()
    for old, new in (
        ("127.0.0.1:8000", service.url.removeprefix("http://")),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/gatepost/tls/", f"{folder}/"),
    ):
        assert old in site
        site = site.replace(old, new)
    (folder / "gatepost.conf").write_text(site)
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {name};" for name in paths)
    (folder / "nginx.conf").write_text(
        "daemon off; pid nginx.pid; error_log error.log; events {}"
        f"http {{ access_log off; {temporary} include gatepost.conf; }}"
    )
    command = [program("nginx", "nginx-light"), "-p", f"{folder}/", "-c", "nginx.conf"]
    process = subprocess.Popen([*command, "-e", "error.log"], stdin=subprocess.DEVNULL)
    trusting = ssl.create_default_context(cafile=certificate)
    transport = httpx.HTTPTransport(verify=trusting, local_address=VISITOR)
    try:
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", transport=transport) as visitor:

            def ready() -> bool:
                try:
                    return visitor.get("/readyz").is_success
                except httpx.TransportError:
                    return False

            wait_until(lambda: process.poll() is not None or ready(), "nginx")
            assert process.poll() is None, (folder / "error.log").read_text()
            yield visitor
    finally:
        end(process)


def test_nginx_says_who_the_visitor_is_and_refuses_what_is_too_large(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path: Path,
) -> None:
    settings = LOCAL_PROXY | {"GATEPOST_SECRET": SECRET}
    with (
        auth_service(postgres_servers, templates, tmp_path / "log", **settings) as service,
        nginx(service, tmp_path) as visitor,
    ):
        ann = {"name": "Ann", "email": "ann@example.com", "password": "correct horse battery"}
        forged = {"X-Forwarded-For": "203.0.113.9", "Origin": "http://127.0.0.1:8000"}
        done = visitor.post("/api/auth/sign-up/email", json=ann, headers=forged)
        assert done.status_code == 200, done.text
        assert visitor.get("/api/auth/get-session").json()["session"]["ipAddress"] == VISITOR
        large = visitor.post("/api/auth/sign-in/email", content=b"x" * 2_000_000)
        assert (large.status_code, "nginx" in large.text) == (413, True)
        log = (tmp_path / "log").read_text()
        assert "X-Forwarded-For from" not in log
