"""The two servers that are compared: a real Better Auth on Node, and Gatepost.

A Setup says one configuration in the words of both. Each server has a database; they may share it.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.interop.auth import words
from tests.support import LOCAL_PROXY, Server, answers, end, free_port, running_service, wait_until

NODE: Final = Path(__file__).parent / "node"
SELF: Final = os.environ.get("DIFFERENTIAL") == "self"
"""Whether a second Better Auth stands in for Gatepost, to hold the tests themselves."""

SECRET: Final = "a secret for tests of 32 letters or more"
BASE_URL: Final = "http://auth.gatepost.test"
"""Not where the servers listen: with one address for both, what they answer needs no mending."""

PROVIDER: Final = "https://provider.test"
"""What stands for the address of the scenarios' own provider until it has one."""


@dataclass(frozen=True)
class Setup:
    """One configuration: Gatepost's settings, and Better Auth's options and mails.

    With additional fields: what Gatepost's file says of them, and the SQL that makes their columns.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    mails: str = "reset-password,verify-email"
    jwt: Mapping[str, Any] | None = None
    """Options of Better Auth's jwt plugin, where it is on."""
    admin: Mapping[str, Any] | None = None
    """The same of its admin plugin."""
    providers: Sequence[Mapping[str, Any]] = ()
    """In the words of GATEPOST_PROVIDERS; PROVIDER is in the addresses of the scenarios' own."""
    played: bool = False
    """Whether the built-in providers' own hosts are played by a proxy."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables, such as those of that proxy."""
    base_url: str = BASE_URL
    schema: str = ""
    columns: str = ""

    def at(self, url: str) -> "Setup":
        """The same, with the provider at ``url``."""
        return replace(
            self, providers=json.loads(json.dumps(self.providers).replace(PROVIDER, url))
        )


@dataclass(frozen=True)
class Running:
    """A server that answers on ``port``; its database, and the file that its mails go to."""

    name: str
    port: int
    database: str
    mail_file: Path
    log: Path


@contextmanager
def better_auth(
    setup: Setup, postgres: Server, database: str, folder: Path, node: Path, name: str = "node"
) -> Iterator[Running]:
    """A Better Auth server on ``database``."""
    port = free_port()
    log, mail_file = folder / f"{name}.log", folder / f"{name}.mails"
    mail_file.touch()
    environment = {
        "DATABASE_URL": postgres.url(database),
        "MAIL_FILE": str(mail_file),
        "MAILS": setup.mails,
        # in production nothing is other than asked for, such as an address made up for the client
        "NODE_ENV": "production",
        "OPTIONS": json.dumps(
            {"baseURL": setup.base_url, "socialProviders": words.built_in(setup.providers)}
            | _behind_proxy(setup.options)
        ),
        "GENERIC_PROVIDERS": json.dumps(words.generic(setup.providers)),
        "PORT": str(port),
        "SECRET": SECRET,
        **({} if setup.jwt is None else {"JWT": json.dumps(setup.jwt)}),
        **({} if setup.admin is None else {"ADMIN": json.dumps(setup.admin)}),
        **setup.environment,
    }
    inherited = {key: value for key, value in os.environ.items() if key not in ("NODE_ENV", "TEST")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [node, "server.mjs"], cwd=NODE, env=inherited | environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}/api/auth/ok"
        wait_until(lambda: process.poll() is not None or answers(url), "Better Auth answers")
        assert process.poll() is None, log.read_text()
        yield Running(name, port, database, mail_file, log)
    finally:
        end(process)


def _behind_proxy(options: Mapping[str, Any]) -> dict[str, Any]:
    """Better Auth's options, with the proxy that Gatepost trusts."""
    advanced = {"ipAddress": {"trustedProxies": ["127.0.0.1/32"]}} | options.get("advanced", {})
    return {**options, "advanced": advanced}


@contextmanager
def gatepost(setup: Setup, postgres: Server, database: str, folder: Path) -> Iterator[Running]:
    """Gatepost on ``database``."""
    log, mail_file = folder / "gatepost.log", folder / "gatepost.mails"
    mail_file.touch()
    schema = folder / "gatepost.toml"
    schema.write_text(setup.schema)
    settings: dict[str, str] = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": setup.base_url,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_PLUGINS": "bearer",
        "GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_RESET": "false",  # as Better Auth has it
        **LOCAL_PROXY,
        **({"GATEPOST_SCHEMA": str(schema)} if setup.schema else {}),
        **({"MAIL_FILE": str(mail_file)} if setup.mails else {}),
        **({"GATEPOST_PROVIDERS": json.dumps(setup.providers)} if setup.providers else {}),
        **setup.environment,
        **setup.settings,
    }
    with running_service(postgres.url(database), log, **settings) as service:
        port = int(service.url.rpartition(":")[2])
        yield Running("gatepost", port, database, mail_file, log)


def subject(
    setup: Setup, postgres: Server, database: str, folder: Path, node: Path
) -> AbstractContextManager[Running]:
    """The server to test: Gatepost, or its stand-in."""
    if SELF:
        return better_auth(setup, postgres, database, folder, node, "stand-in")
    return gatepost(setup, postgres, database, folder)
