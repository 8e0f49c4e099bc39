"""The alerts and the dashboard in a real Prometheus that scrapes the running service."""

import asyncio
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.devserver.postgres import scratch
from app.migrations import dbmate
from tests.support import (
    IN_CI,
    KEYS,
    ROOT,
    SECRET,
    Service,
    answers,
    end,
    free_port,
    running_service,
    wait_until,
)

ALERTS: Final = ROOT / "deploy/prometheus/alerts.yml"
CONFIG: Final = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARD: Final = ROOT / "deploy/grafana/gatepost.json"


@pytest.fixture(scope="module", autouse=True)
def _prometheus() -> None:
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        missing = "no Prometheus: apt-get install prometheus"
        pytest.fail(missing) if IN_CI else pytest.skip(missing)


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["promtool", *arguments], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_valid_and_each_alert_fires_for_what_it_is_there_for(tmp_path: Path) -> None:
    promtool("check", "config", CONFIG)
    given = (ROOT / "tests/operations/alerts_test.yml").read_text()
    test = tmp_path / "alerts_test.yml"
    test.write_text(given.replace("ALERTS\n", f"{json.dumps(str(ALERTS))}\n"))
    promtool("test", "rules", test)
    for name in re.findall(r"- alert: (\w+)", ALERTS.read_text()):
        assert given.count(name) >= 2, f"{name} is not tested"


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        return answer.json()["data"]["result"]

    def firing(self) -> set[str]:
        alerts = httpx.get(f"{self.url}/api/v1/alerts").json()["data"]["alerts"]
        return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"}


@contextmanager
def running_prometheus(service: Service, folder: Path) -> Iterator[Prometheus]:
    """Prometheus on the service and the alerts, with seconds in place of their minutes."""
    (folder / "alerts.yml").write_text(re.sub(r"\b(\d+)m\b", r"\1s", ALERTS.read_text()))
    target = httpx.URL(service.metrics).netloc.decode()
    config = CONFIG.read_text().replace("127.0.0.1:9464", target).replace("15s", "200ms")
    (folder / "prometheus.yml").write_text(config)
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers(f"{url}/-/ready"), "Prometheus")
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield Prometheus(url)
    finally:
        end(process)


@contextmanager
def visitors(service: Service) -> Iterator[None]:
    """A few requests of each kind, again and again."""
    stop = threading.Event()

    def visit() -> None:
        person = {"name": "Ann", "email": "ann@example.com", "password": "correct horse battery"}
        with httpx.Client(base_url=service.url, timeout=30) as client:
            client.post("/api/auth/sign-up/email", json=person)
            httpx.get(service.url, headers={"x-long": "a" * 100_000})  # refused on the socket
            for number in range(2000):
                client.get("/readyz")
                client.get("/api/auth/get-session")
                client.get("/rest/v1/users", headers={"apikey": KEYS["all"]})
                if number % 10 == 0:
                    client.post("/api/auth/sign-in/email", json={"email": "a@b.c", "password": "x"})
                if stop.wait(0.05):
                    return

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def expressions() -> list[str]:
    """What the panels of the dashboard ask, with its variables filled in."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for p in dashboard["panels"] for target in p.get("targets", ())]
    assert len(found) > 20
    return [
        expression.replace("$job", "gatepost")
        .replace("$instance", ".*")
        .replace("$__rate_interval", "5s")
        for expression in found
    ]


def names(text: str) -> set[str]:
    return set(re.findall(r"\b(?:gatepost|process)_[a-z_]+\b", text))


def test_service_is_scraped_and_a_stopped_database_raises_the_alarm(tmp_path: Path) -> None:
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://127.0.0.1:8000",
        "GATEPOST_PURGE_EVERY": "3600",
        "GATEPOST_WEBHOOKS": "true",
        "GATEPOST_ACQUIRE_TIMEOUT": "1",
    }
    with scratch() as database:
        asyncio.run(dbmate.up(database.url()))
        with (
            running_service(database.url(), tmp_path / "log", **settings) as service,
            running_prometheus(service, tmp_path) as prometheus,
        ):
            wait_until(lambda: len(prometheus.query("up == 1")) == 1, "the service is scraped")
            with visitors(service):
                exposed = names(httpx.get(service.metrics).text)
                for file in (ALERTS, DASHBOARD):
                    missing = names(file.read_text()) - exposed
                    assert not missing, f"{file.name} names what is not exposed: {missing}"
                wait_until(lambda: not silent_panels(prometheus), "a value in every panel")
                time.sleep(3)
                assert prometheus.firing() == set()

                database.stop()
                wait_until(lambda: "GatepostUnavailable" in prometheus.firing(), "the alert fires")
                database.start()
                wait_until(lambda: "GatepostUnavailable" not in prometheus.firing(), "it ends")
            end(service.process)
            wait_until(lambda: "GatepostDown" in prometheus.firing(), "the alert fires")


def silent_panels(prometheus: Prometheus) -> list[str]:
    return [expression for expression in expressions() if not prometheus.query(expression)]
