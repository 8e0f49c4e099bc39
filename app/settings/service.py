"""The settings of the service and the REST API, which hold all the others."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, get_args

from ..errors import SettingsError
from ..schema import Schema
from .auth import AuthSettings
from .environment import (
    BOOLEAN,
    DAY,
    MAX_AGE,
    TIMEOUT,
    Proxy,
    duration,
    folder_list,
    integer,
    one_of,
    parser,
    postgres_url,
    proxy_list,
    read,
    setting,
    text,
)
from .misspelt import check_names
from .service_keys import SERVICE_KEYS, ServiceKey, keys_in_file
from .webhooks import WebhookSettings, has_packages

Pooler = Literal["none", "transaction", "prepared"]


@parser("a path")
def _schema_file(name: str, path: str) -> Schema:
    from ..additional import load  # what is off is not imported

    return load(name, path)


def _has_opentelemetry() -> bool:
    with suppress(ModuleNotFoundError):
        return find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter") is not None
    return False


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The service and the REST API.

    Durations are in seconds, or as `1h30m`, `15s`, `500ms`; sizes are in bytes.
    """

    # fmt: off
    database_url: str = setting("DATABASE_URL", postgres_url, secret=True,
        doc="The database; of [several hosts](#several-hosts), separated by commas, the one that "
            "takes writes.")
    database_direct_url: str = setting("DATABASE_DIRECT_URL", postgres_url, secret=True,
        documented_default="as `DATABASE_URL`",
        doc="The server's own address, for migrations and the doctor: required for them when "
            "`DATABASE_URL` leads to a pooler.")
    pooler: Pooler = setting("GATEPOST_POOLER", one_of(*get_args(Pooler)),
        default="none",
        doc="What `DATABASE_URL` leads to: `none`: the server itself; `transaction`: "
            "[a pooler](#behind-a-pooler), to which the service sends no named prepared "
            "statement; `prepared`: one that keeps these apart itself, such as PgBouncer 1.21 and "
            "later with `max_prepared_statements`, which is faster.")
    replica_url: str | None = setting(
        "GATEPOST_REPLICA_URL", postgres_url, default=None, secret=True,
        doc="Replicas, for the reads of the REST API that "
            "[may be late](API.md#reads-from-a-replica), and for "
            "[the lists of the page /admin](ADMIN.md#the-screens).")
    service_keys: tuple[ServiceKey, ...] = setting(
        "GATEPOST_SERVICE_KEYS", SERVICE_KEYS, default=(),
        doc="The keys of the REST API and what each is allowed.")
    service_keys_file: str | None = setting(
        "GATEPOST_SERVICE_KEYS_FILE", text("a path"), default=None,
        doc="A file with more keys, one a line, which is read again at SIGHUP.")
    schema: Schema = setting(
        "GATEPOST_SCHEMA", _schema_file, default=Schema(), documented_default="none",
        doc="A TOML file with [fields and tables of your own](how-to/own-fields.md).")
    migrations: tuple[Path, ...] = setting("GATEPOST_MIGRATIONS", folder_list, default=(),
        doc="Folders with [migrations of your own](how-to/own-fields.md), beside Gatepost's.")
    host: str = setting("HOST", text("a host name or address"), default="127.0.0.1",
        doc="The address to listen on.")
    port: int = setting("PORT", integer(1, 65535), default=8000,
        doc="The port to listen on.")
    metrics_port: int | None = setting(
        "GATEPOST_METRICS_PORT", integer(1, 65535), default=None,
        doc="The port on which `gatepost serve` shows Prometheus [its metrics](#metrics); without "
            "it they are nowhere.")
    metrics_host: str = setting(
        "GATEPOST_METRICS_HOST", text("a host name or address"), default="127.0.0.1",
        doc="The address of that port. It asks for no key: never one that strangers reach.")
    tracing: bool = setting("GATEPOST_TRACING", BOOLEAN, default=False,
        doc="Send [traces](#traces) by OpenTelemetry; needs `pip install 'gatepost[otel]'`.")
    docs: bool = setting("GATEPOST_DOCS", BOOLEAN, default=False,
        doc="Serve [the description of both APIs](API.md#the-description) at `/openapi.json`, and "
            "as a page at `/docs`, which needs `pip install 'gatepost[docs]'`. `gatepost dev` has "
            "it on.")
    trusted_proxies: tuple[Proxy, ...] = setting(
        "GATEPOST_TRUSTED_PROXIES", proxy_list, default=(),
        doc="The peers whose `X-Forwarded-For` is believed: [behind a proxy](#behind-a-proxy) all "
            "clients count as one without it.")
    pool_size: int = setting("GATEPOST_POOL_SIZE", integer(1, 1000), default=10,
        doc="Connections to the database that a process opens at most.")
    acquire_timeout: float = setting("GATEPOST_ACQUIRE_TIMEOUT", TIMEOUT, default=5.0,
        doc="How long a request waits for a connection.")
    query_timeout: float = setting("GATEPOST_QUERY_TIMEOUT", TIMEOUT, default=10.0,
        doc="How long a statement may run before it is cancelled on the server.")
    rest_query_timeout: float = setting("GATEPOST_REST_QUERY_TIMEOUT", TIMEOUT, default=4.0,
        doc="How long a statement of the REST API may run, at most as long as any other.")
    request_timeout: float = setting("GATEPOST_REQUEST_TIMEOUT", TIMEOUT, default=30.0,
        doc="How long a request may take in all.")
    max_rows: int = setting("GATEPOST_MAX_ROWS", integer(1, 1_000_000), default=1000,
        doc="Rows of a page at most, and of each relation embedded in a row.")
    max_body: int = setting("GATEPOST_MAX_BODY", integer(1, 1 << 30), default=1024 * 1024,
        doc="Size of a request's body at most.")
    citus: bool = setting("GATEPOST_CITUS", BOOLEAN, default=False,
        doc="The tables are spread over [a Citus cluster](CITUS.md).")
    purge_every: int = setting("GATEPOST_PURGE_EVERY", duration(0, MAX_AGE), default=3600,
        doc="The time between two passes of [the purge](#the-purge) in the background; 0: none.")
    events_retention: int = setting(
        "GATEPOST_EVENTS_RETENTION", duration(30 * DAY, 36_500 * DAY), default=400 * DAY,
        doc="How long [events](EVENTS.md) are kept until the purge deletes them.")
    # fmt: on
    auth: AuthSettings | None = None
    """None: the auth API is off."""
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)

    def direct_url(self) -> str:
        """``database_direct_url`` for what needs the server itself. Raises SettingsError."""
        if self.pooler != "none" and self.database_direct_url == self.database_url:
            raise SettingsError(
                "DATABASE_DIRECT_URL is not set: behind a pooler (GATEPOST_POOLER) "
                "this needs the server's own address"
            )
        return self.database_direct_url

    def check_webhooks(self, what: str) -> AuthSettings:
        """The settings whose secrets keep those of webhooks. Raises SettingsError, which begins
        with ``what``, when there can be no webhooks."""
        if self.auth is None:
            raise SettingsError(f"{what}: it needs GATEPOST_SECRET and GATEPOST_BASE_URL")
        if self.citus:
            raise SettingsError(f"{what}: on a Citus cluster no events are recorded to be sent")
        if not has_packages():
            raise SettingsError(
                f"{what}: it needs the extra webhooks: "
                "pip install 'PATH_OF_THE_CHECKOUT[webhooks]', or -r requirements/social.txt"
            )
        return self.auth

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; raises SettingsError for the first that is wrong."""
        if not environment.get("DATABASE_URL"):
            raise SettingsError(
                "DATABASE_URL is not set: give the database's address, or run 'gatepost dev' "
                "(in a checkout: make serve) for a database of its own"
            )
        check_names(cls, environment)
        values = read(cls, environment)
        values.setdefault("database_direct_url", values["database_url"])
        if path := values.get("service_keys_file"):
            keys_in_file(path)  # one that cannot be used stops the start
        if values.get("tracing") and not _has_opentelemetry():
            raise SettingsError("GATEPOST_TRACING is on: it needs pip install 'gatepost[otel]'")
        found = cls(
            **values,
            auth=AuthSettings.from_environment(environment),
            webhooks=WebhookSettings.from_environment(environment),
        )
        if found.webhooks.deliver:
            found.check_webhooks("GATEPOST_WEBHOOKS is on")
        if found.auth is not None and "admin" in found.auth.plugins:
            from ..admin_fields import with_admin  # what is off is not imported

            default_role = found.auth.admin.default_role
            found = replace(found, schema=with_admin(found.schema, default_role))
        if found.citus and found.auth is not None and found.auth.last_seen_every:
            raise SettingsError(
                "GATEPOST_LAST_SEEN_EVERY must be 0 with GATEPOST_CITUS: on a cluster no foreign "
                "key would delete what is recorded of a session that has ended"
            )
        _check_claims(found)
        return found


_USER_FIELDS: Final = ("id", "name", "email", "emailVerified", "image", "createdAt", "updatedAt")


def _check_claims(settings: "Settings") -> None:
    """Refuse a claim that says what a user does not have."""
    claims = settings.auth.jwt.claims if settings.auth else None
    own = [field.name for field in settings.schema.users.fields if field.returned]
    known = (*_USER_FIELDS, *own)
    for name, claim in (claims or {}).items():
        if claim.field is not None and claim.field not in known:
            raise SettingsError(
                f"GATEPOST_JWT_CLAIMS: {name!r} must be one of {', '.join(known)}, or begin with ="
            )
