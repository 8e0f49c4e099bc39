"""``gatepost check`` and the providers: whether each answers, and knows this client."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.test_running import dev
from tests.support import ROOT, SECRET, environment

DISCOVERY = ".well-known/openid-configuration"
HERE = {"allow_private_addresses": True}
BASE_URL = "https://auth.example.com"


def check(url: str, *providers: dict[str, Any], **settings: str) -> list[tuple[str, str]]:
    """Level and text of what it says of providers."""
    given = [{"client_secret": "hidden"} | provider for provider in providers]
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "check", "--json"], cwd=ROOT,
        env=environment(url) | settings | {
            "GATEPOST_SECRET": SECRET,
            "GATEPOST_BASE_URL": BASE_URL,
            "GATEPOST_PROVIDERS": json.dumps(given),
        },
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert "hidden" not in done.stdout
    assert done.returncode == (7 if any(each["level"] == "fail" for each in found) else 0)
    return [(each["level"], each["text"]) for each in found if each["check"] == "provider"]


def test_provider_that_answers_is_named_with_its_issuer_and_what_to_register(
    provider: str, one_database_url: str
) -> None:
    one = {"id": "one", "client_id": "one", "discovery_url": f"{provider}/one/{DISCOVERY}"} | HERE
    plain = {
        "id": "plain",
        "client_id": "plain",
        **HERE,
        **{f"{name}_url": f"{provider}/plain/{name}" for name in ("token", "userinfo")},
        "authorization_url": f"{provider}/plain/authorize",
    }
    back = f"{BASE_URL}/api/auth/callback"
    assert check(one_database_url, one, plain) == [
        ("ok", f"one, as {provider}/one, knows this client, which comes back to {back}/one"),
        ("ok", f"plain knows this client, which comes back to {back}/plain"),
    ]


def test_provider_that_cannot_be_asked_is_a_warning(one_database_url: str) -> None:
    found = check(
        one_database_url,
        {"id": "down", "client_id": "x", "discovery_url": f"http://127.0.0.1:1/{DISCOVERY}"} | HERE,
        {"id": "github", "client_id": "x"},
        HTTPS_PROXY="http://127.0.0.1:1",
    )
    reach = "see whether this machine reaches it (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE)"
    assert found == [("warn", f"{name}: no connection; {reach}") for name in ("down", "github")]


def test_discovery_document_that_is_not_there_or_is_anothers_is_a_fault(
    provider: str, one_database_url: str
) -> None:
    urls = {"gone": f"{provider}/a/b/{DISCOVERY}", "other": f"{provider}/one/{DISCOVERY}?x"}
    given = ({"id": name, "client_id": "x", "discovery_url": urls[name]} | HERE for name in urls)
    step = "correct discovery_url in GATEPOST_PROVIDERS"
    assert check(one_database_url, *given) == [
        ("fail", f"gone: its discovery document: HTTP 404; {step}"),
        ("fail", f"other: its discovery document is another issuer's, {provider}/one; {step}"),
    ]


def test_private_address_that_is_not_allowed_is_a_fault(one_database_url: str) -> None:
    url = f"https://127.0.0.1:1/{DISCOVERY}"
    found = check(one_database_url, {"id": "own", "client_id": "x", "discovery_url": url})
    step = "set allow_private_addresses in GATEPOST_PROVIDERS, if it belongs there"
    assert found == [("fail", f"own: the host is in a private network; {step}")]


def test_provider_that_does_not_know_the_client_is_a_fault(
    one_database_url: str, tmp_path: Path
) -> None:
    with dev(tmp_path, PYTHONPATH=str(ROOT), DATABASE_URL=one_database_url) as service:
        url = f"{service.url}/dev/provider/{DISCOVERY}"
        found = check(
            one_database_url,
            {"id": "wrong", "client_id": "gatepost", "discovery_url": url} | HERE,
        )
    said = "wrong does not know this client: HTTP 401 invalid_client; "
    assert found == [
        (
            "fail",
            f"{said}correct client_id, client_secret and token_endpoint_auth in GATEPOST_PROVIDERS",
        )
    ]
