"""Sites that end TLS in a real nginx: pages with the official client, and Gatepost behind them."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.browser import Browser, driver, new_browser
from tests.support import ROOT, Service, end, free_port, wait_until

NODE: Final = Path(__file__).parent / "node"
HOSTS: Final = ("example.com", "*.example.com", "*.example.org", "*.example.net")
PAGE: Final = (
    '<!doctype html><meta charset="utf-8"><title>A page</title><script src="client.js"></script>'
)

_NGINX: Final = """
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    types {{ text/html html; text/javascript js; }}
    ssl_certificate certificate.pem;
    ssl_certificate_key key.pem;
    {servers}
}}
"""
_SERVER: Final = """
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {host};
        location /api/auth/ {{ proxy_pass {gatepost}; {forwarded} }}
        location = /cookies {{ default_type text/plain; return 200 "$http_cookie"; }}
        location / {{ root {pages}; }}
    }}
"""
_BACKEND: Final = """
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {host};
        location / {{ proxy_pass {backend}; proxy_set_header Host $host; }}
    }}
"""
FORWARDED: Final = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"


ANN: Final = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
SESSION: Final = "__Secure-better-auth.session_token"
ALLOWED: Final = {
    "profile.cookie_controls_mode": 0,
    "profile.block_third_party_cookies": False,
}
BLOCKED: Final = {"profile.cookie_controls_mode": 1, "profile.block_third_party_cookies": True}
"""The preferences of a browser that allows or blocks third-party cookies."""


@dataclass(frozen=True)
class Section:
    """What docs/ORIGINS.md says of one way: settings, and the modules of the page and a backend.

    A module is empty where the way has none of its own.
    """

    settings: Mapping[str, str]
    client: str
    backend: str


def section(title: str) -> Section:
    """The first block of each language below a heading of docs/ORIGINS.md."""
    page = (ROOT / "docs" / "ORIGINS.md").read_text()
    text = re.search(rf"^##+ {title}\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE)
    assert text, f"no section: {title}"
    settings, client, backend = (
        found[1] if (found := re.search(rf"```{language}\n(.*?)```", text[1], re.DOTALL)) else ""
        for language in ("sh", "js", "python")
    )
    lines = (line.partition("=") for line in settings.splitlines() if line)
    return Section({name: value for name, _, value in lines}, client, backend)


def bundle(source: str, output: Path, *options: str) -> None:
    """The module with the packages that it imports, as one file."""
    subprocess.run(
        [NODE / "node_modules/.bin/esbuild", "--bundle", f"--outfile={output}", *options],
        cwd=NODE, input=source, text=True, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def log_lines(service: Service, logger: str) -> list[str]:
    """What a logger has said."""
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line[0] == "{"]
    return [line["message"] for line in lines if line.get("logger") == logger]


@dataclass(frozen=True)
class Sites:
    """nginx on ``port``, with a certificate that a browser is told by its key."""

    port: int
    key: str
    folder: Path

    @contextmanager
    def visitor(self, **preferences: Any) -> Iterator[Browser]:
        """A browser to which every host is nginx."""
        hosts = f"--host-resolver-rules=MAP *:443 127.0.0.1:{self.port}"
        trusted = f"--ignore-certificate-errors-spki-list={self.key}"
        with driver() as started, new_browser(started, hosts, trusted, **preferences) as browser:
            yield browser


def call(visitor: Browser, method: str, argument: Any = None) -> dict[str, Any]:
    """A call of the official client in the page; ``{data, error}``."""
    answer: dict[str, Any] = visitor.run_async(f"return page.auth.{method}(args[0])", argument)
    return answer


@contextmanager
def sites(
    program: str,
    service: Service,
    client: str,
    folder: Path,
    backends: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Sites]:
    """Each of HOSTS has the page with the client, and Gatepost under /api/auth.

    ``backends``: the addresses of other servers, by the hosts that lead to them instead.
    """
    pages, port = folder / "pages", free_port()
    pages.mkdir()
    (pages / "index.html").write_text(PAGE)
    bundle(client, pages / "client.js", "--format=iife", "--global-name=page")
    key = _certificate(folder)
    servers = "".join(
        _SERVER.format(port=port, host=host, gatepost=service.url, forwarded=FORWARDED, pages=pages)
        for host in HOSTS
    )
    servers += "".join(
        _BACKEND.format(port=port, host=host, backend=url) for host, url in backends.items()
    )
    user = "user root;" if os.geteuid() == 0 else ""  # to read the folder of the test
    (folder / "nginx.conf").write_text(_NGINX.format(user=user, servers=servers))
    command = [program, "-p", f"{folder}/", "-c", str(folder / "nginx.conf"), "-e", "error.log"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_until(
            lambda: process.poll() is not None or (folder / "nginx.pid").exists(), "nginx is there"
        )
        assert process.poll() is None, (folder / "error.log").read_text()
        yield Sites(port, key, folder)
    finally:
        end(process)


def _certificate(folder: Path) -> str:
    """A certificate for HOSTS; gives the SHA-256 of its key as browsers are told it."""
    openssl = shutil.which("openssl")
    assert openssl, "no openssl"
    names = ",".join(f"DNS:{host}" for host in HOSTS)

    def run(*arguments: str, given: bytes = b"") -> bytes:
        command = [openssl, *arguments]
        done = subprocess.run(command, cwd=folder, input=given, check=True, capture_output=True)
        return done.stdout

    run(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", "/CN=Tests", "-addext", f"subjectAltName={names}", "-days", "2"),
        *("-keyout", "key.pem", "-out", "certificate.pem"),
    )
    public = run("x509", "-in", "certificate.pem", "-pubkey", "-noout")
    digest = run(
        "dgst", "-sha256", "-binary", given=run("pkey", "-pubin", "-outform", "der", given=public)
    )
    return base64.b64encode(digest).decode()
