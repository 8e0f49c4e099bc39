"""The development database: an embedded PostgreSQL with its data in .gatepost."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from dotenv import load_dotenv

from ..settings import Settings
from .keys import entry
from .output import say

STATE: Final = Path.cwd() / ".gatepost"
"""The state of a developer's service: the database and its keys. Git-ignored."""


def load_settings() -> None:
    """A developer's own settings are in .env.local, for .env may be in version control."""
    load_dotenv(".env.local")
    load_dotenv(".env")


def set_defaults() -> str | None:
    """Set what the two APIs need and the environment leaves out; the service key, if it was."""
    key = None
    if not os.environ.get("GATEPOST_SERVICE_KEYS"):
        key = _load_or_create_secret("service-key")
        os.environ["GATEPOST_SERVICE_KEYS"] = entry("development", key, "read+write+secrets")
    if not os.environ.get("GATEPOST_SECRET"):
        os.environ["GATEPOST_SECRET"] = _load_or_create_secret("secret")
    if not os.environ.get("GATEPOST_BASE_URL"):
        host = os.environ.get("HOST") or Settings.host
        port = os.environ.get("PORT") or Settings.port
        os.environ["GATEPOST_BASE_URL"] = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    os.environ.setdefault("GATEPOST_RATE_LIMIT", "off")
    os.environ.setdefault("GATEPOST_DOCS", "true")
    if find_spec("jinja2") is not None:
        plugins = os.environ.setdefault("GATEPOST_PLUGINS", "admin")
        if "admin" in map(str.strip, plugins.split(",")):
            os.environ.setdefault("GATEPOST_ADMIN_PAGE", "true")
    if not os.environ.get("MAIL_URL") and not os.environ.get("MAIL_FILE"):
        os.environ["MAIL_FILE"] = str(STATE / "mail.jsonl")
        os.environ.setdefault("MAIL_PRINT", "true")
    return key


def _load_or_create_secret(name: str) -> str:
    """A secret in .gatepost, generated on first use."""
    path = STATE / name
    if not path.exists():
        STATE.mkdir(exist_ok=True)
        new = path.with_name(f"{name}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(32) + "\n")
        new.rename(path)
    return path.read_text().strip()


@contextmanager
def development_settings() -> Iterator[None]:
    """Unless DATABASE_URL is set, the settings and the database of ``gatepost dev``, where it has
    made them here."""
    if os.environ.get("DATABASE_URL") or not (STATE / "postgres").exists():
        yield
        return
    load_settings()
    set_defaults()
    with development_database(create=False):
        yield


@contextmanager
def development_database(*, create: bool = True) -> Iterator[Path | None]:
    """Unless DATABASE_URL is set, run the embedded database and set it; yields its folder.

    The server is shared with every process that uses it. Without ``create`` there is only one where
    ``gatepost dev`` has made its data.
    """
    home = STATE / "postgres"
    if os.environ.get("DATABASE_URL") or not (create or home.exists()):
        yield None
        return
    from ..devserver.postgres import EmbeddedPostgres

    first = "" if home.exists() else ": the first time it makes the data, which takes a moment"
    begin = "Starting PostgreSQL" if create else "DATABASE_URL is not set: using the database"
    say(f"{begin} in {os.path.relpath(home)}{first}")
    with EmbeddedPostgres(home) as server:
        os.environ["DATABASE_URL"] = os.environ["DATABASE_DIRECT_URL"] = server.url()
        try:
            yield server.data
        finally:
            del os.environ["DATABASE_URL"], os.environ["DATABASE_DIRECT_URL"]
