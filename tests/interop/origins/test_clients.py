"""The clients of docs/ORIGINS.md that are no browser: an Expo app, and Node."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.interop.origins.sites import NODE, bundle, log_lines, section
from tests.support import SECRET, Server, Service, running_service

DEVICE = (
    "react-native",
    "expo-constants",
    "expo-linking",
    "expo-network",
    "expo-secure-store",
    "expo-web-browser",
)


@contextmanager
def started(
    title: str, postgres: Server, template: str, folder: Path, **changed: str
) -> Iterator[Service]:
    settings = {"GATEPOST_SECRET": SECRET, "GATEPOST_RATE_LIMIT": "off"}
    settings |= {**section(title).settings, **changed}
    with (
        postgres.database(template) as database,
        running_service(postgres.url(database), folder / "log", **settings) as service,
    ):
        yield service


def use(node: Path, name: str, source: str, service: Service, folder: Path) -> dict[str, Any]:
    """Sign up, change the name, read the session, sign out, read it again."""
    client = folder / f"{name}.mjs"
    stand_ins = (f"--alias:{module}=./device.mjs" for module in DEVICE)
    bundle(source, client, "--format=esm", "--platform=node", *stand_ins)
    done = subprocess.run(
        [node, "client.mjs"],
        cwd=NODE, env=os.environ | {"CLIENT": str(client), "SERVICE": service.url},
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    given: dict[str, Any] = json.loads(done.stdout)
    return given


def assert_worked(given: dict[str, Any]) -> None:
    assert given["signedUp"]["error"] is None, given["signedUp"]
    assert given["changed"]["error"] is None, given["changed"]
    assert given["session"]["data"]["user"]["name"] == "Ann B."
    assert given["signedOut"]["error"] is None
    assert given["after"]["data"] is None


def test_expo_app_signs_in(postgres: Server, template: str, node: Path, tmp_path: Path) -> None:
    source = section("Expo").client
    with started("Expo", postgres, template, tmp_path) as service:
        given = use(node, "expo", source, service, tmp_path)
        assert_worked(given)
        sent = given["requests"]
        assert {headers["expo-origin"] for headers in sent} == {"myapp://"}
        assert not any("origin" in headers for headers in sent)
        assert "__Secure-better-auth.session_token=" in sent[1]["cookie"]
        assert log_lines(service, "gatepost.origins") == []

        # what a browser says of the page counts before what the page says
        ann = {"email": "ann@example.com", "password": "correct horse"}
        url = f"{service.url}/api/auth/sign-in/email"
        for headers, code in (
            ({"expo-origin": "myapp://", "origin": "https://evil.example"}, "INVALID_ORIGIN"),
            ({"expo-origin": "myapp://", "origin": "null"}, "MISSING_OR_NULL_ORIGIN"),
            ({"expo-origin": "other://", "sec-fetch-mode": "cors"}, "INVALID_ORIGIN"),
        ):
            refused = httpx.post(url, json=ann, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, code)
        asked = {
            "origin": "https://evil.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "expo-origin",
        }
        preflight = httpx.options(url, headers=asked)
        assert "access-control-allow-origin" not in preflight.headers


def test_expo_app_is_refused_without_the_plugin(
    postgres: Server, template: str, node: Path, tmp_path: Path
) -> None:
    source = section("Expo").client
    with started("Expo", postgres, template, tmp_path, GATEPOST_PLUGINS="") as service:
        given = use(node, "expo", source, service, tmp_path)
    assert given["signedUp"]["error"]["code"] == "MISSING_OR_NULL_ORIGIN"


def test_client_in_node_signs_in_with_an_origin_and_is_told_so_without(
    postgres: Server, template: str, node: Path, tmp_path: Path
) -> None:
    source = section("Node").client
    lines = 'fetchOptions: { headers: { Origin: "https://auth.example.com" } }'
    assert lines in source
    with started("Node", postgres, template, tmp_path) as service:
        bare = use(node, "bare", source.replace(f"{lines},", ""), service, tmp_path)
        error = bare["signedUp"]["error"]
        assert (error["status"], error["code"]) == (403, "MISSING_OR_NULL_ORIGIN")
        assert error["message"] == "Missing or null Origin"  # as Better Auth has it
        assert lines in error["hint"]
        assert_worked(use(node, "node", source, service, tmp_path))
        (said,) = log_lines(service, "gatepost.origins")  # once, however often it is refused
        assert lines in said
