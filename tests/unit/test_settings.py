"""The settings: every name, every bad value, and no secret in what is said of them."""

from dataclasses import fields
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import SettingsError
from app.schema import Schema
from app.settings import SCOPES, ServiceKey, Settings
from tests.support import setting_samples

URL = "postgres://gatepost:hunter2@db.example.com/gatepost"
DIGEST = "0123456789abcdef" * 4


def read(**environment: str) -> Settings:
    return Settings.from_environment({"DATABASE_URL": URL} | environment)


def refused(**environment: str) -> str:
    with pytest.raises(SettingsError) as raised:
        read(**environment)
    return str(raised.value)


def test_unset_settings_have_their_defaults() -> None:
    assert read() == Settings(
        database_url=URL,
        database_direct_url=URL,
        pooler="none",
        service_keys=(),
        service_keys_file=None,
        schema=Schema(),
        migrations=(),
        host="127.0.0.1",
        port=8000,
        metrics_port=None,
        metrics_host="127.0.0.1",
        tracing=False,
        docs=False,
        pool_size=10,
        acquire_timeout=5.0,
        query_timeout=10.0,
        rest_query_timeout=4.0,
        request_timeout=30.0,
        max_rows=1000,
        max_body=1024 * 1024,
        purge_every=3600,
    )


GOOD = [
    *setting_samples(Settings),
    ("DATABASE_DIRECT_URL", "postgresql://direct/db", "database_direct_url", None),
    ("GATEPOST_REPLICA_URL", "postgresql://copy/db", "replica_url", None),
    ("GATEPOST_POOLER", "transaction", "pooler", "transaction"),
    ("HOST", "::1", "host", "::1"),
    ("GATEPOST_TRUSTED_PROXIES", "10.0.0.0/8,::1,unix", "trusted_proxies",
     (ip_network("10.0.0.0/8"), ip_network("::1"), "unix")),
    ("PORT", "1", "port", 1),
    ("PORT", "65535", "port", 65535),
    ("GATEPOST_METRICS_PORT", "9464", "metrics_port", 9464),
    ("GATEPOST_METRICS_HOST", "::1", "metrics_host", "::1"),
    ("GATEPOST_POOL_SIZE", "1000", "pool_size", 1000),
    ("GATEPOST_ACQUIRE_TIMEOUT", "0.25", "acquire_timeout", 0.25),
    ("GATEPOST_QUERY_TIMEOUT", "3", "query_timeout", 3.0),
    ("GATEPOST_REQUEST_TIMEOUT", "999999.5", "request_timeout", 999999.5),
    ("GATEPOST_MAX_ROWS", "1000000", "max_rows", 1_000_000),
    ("GATEPOST_MAX_BODY", "1", "max_body", 1),
    ("GATEPOST_PURGE_EVERY", "0", "purge_every", 0),
    ("GATEPOST_PURGE_EVERY", "34560000", "purge_every", 400 * 24 * 3600),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "field", "value"), GOOD)
def test_good_value_is_read(name: str, text: str, field: str, value: object) -> None:
    assert getattr(read(**{name: text}), field) == (text if value is None else value)


def test_good_values_cover_every_field() -> None:
    covered = {field for _, _, field, _ in GOOD} | {
        "database_url",
        "service_keys",
        "service_keys_file",
        "schema",
        "migrations",
        "auth",
        "webhooks",
    }
    assert covered == {field.name for field in fields(Settings)}


WHOLE = [
    "PORT",
    "GATEPOST_METRICS_PORT",
    "GATEPOST_POOL_SIZE",
    "GATEPOST_MAX_ROWS",
    "GATEPOST_MAX_BODY",
]
SECONDS = [
    *("GATEPOST_ACQUIRE_TIMEOUT", "GATEPOST_QUERY_TIMEOUT", "GATEPOST_REQUEST_TIMEOUT"),
    "GATEPOST_REST_QUERY_TIMEOUT",
]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", "1e3", "x", " 1", "1\n", "٣", "0x10", "1_0", "9" * 11, "9" * 400]
)
def test_bad_whole_number_is_refused(name: str, text: str) -> None:
    message = refused(**{name: text})
    assert message.startswith(f"{name} must be a whole number from 1 to ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7d", 7 * 86400), ("15m", 900), ("1h30m", 5400), ("1.5h", 5400), ("90", 90), ("90s", 90),
        ("1d2h3m4s", 93784), ("1000ms", 1), ("0", 0), ("0d", 0), ("400d", 400 * 86400),
    ],
)  # fmt: skip
def test_duration_in_units_is_read(text: str, seconds: int) -> None:
    value = read(GATEPOST_PURGE_EVERY=text).purge_every
    assert (type(value), value) == (int, seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("1m", 60.0), ("1m500ms", 60.5), ("2.5", 2.5)]
)
def test_timeout_in_units_is_read(text: str, seconds: float) -> None:
    value = read(GATEPOST_QUERY_TIMEOUT=text).query_timeout
    assert (type(value), value) == (float, seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("-1", "0.5", "hourly", "34560001", "500ms", "401d"),
        *("1w", "1 d", "d", "m5", "5m1h", "1d1d"),
    ],
)
def test_bad_interval_is_refused(text: str) -> None:
    message = refused(GATEPOST_PURGE_EVERY=text)
    allowed = "a duration from 0 to 400d (7d, 1h30m, or seconds)"
    assert message == f"GATEPOST_PURGE_EVERY must be {allowed}, not {text!r}"


@pytest.mark.parametrize("text", ["proxy", "10.0.0.0/99", "10.0.0.1,unix:"])
def test_bad_proxy_is_refused(text: str) -> None:
    assert "is not an address or network" in refused(GATEPOST_TRUSTED_PROXIES=text)


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize(
    "text", ["0", "0.0", "-1", "x", "nan", "inf", "1e3", "1.", ".5", " 1", "1\n", "٣", "9" * 400]
)
def test_bad_duration_is_refused(name: str, text: str) -> None:
    message = refused(**{name: text})
    assert message.startswith(f"{name} must be a duration above 0, below 1000000s (15s, 500ms,")
    assert len(message) < 150


@pytest.mark.parametrize("name", [*WHOLE, *SECONDS, "HOST", "DATABASE_DIRECT_URL"])
def test_empty_setting_is_the_default(name: str) -> None:
    assert read(**{name: ""}) == read()


@pytest.mark.parametrize("environment", [{}, {"DATABASE_URL": ""}])
def test_missing_database_url_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL is not set: .*gatepost dev"):
        Settings.from_environment(environment)


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_DIRECT_URL", "GATEPOST_REPLICA_URL"])
@pytest.mark.parametrize(
    "url",
    [
        *("mysql://u:hunter2@h/db", "gatepost", "/run/hunter2", "postgres", "http://[hunter2", " "),
        # a password that is not percent-encoded
        *(
            "postgres://u:hunter2/x@h/db",
            "postgres://u:hunter2?x@h/db",
            "postgres://u:h:hunter2/db",
        ),
    ],
)
def test_bad_address_is_refused(name: str, url: str) -> None:
    message = refused(**{name: url})
    assert message.startswith(f"{name} is not a PostgreSQL address")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u@one.example.com:5432,two.example.com:5433/db?target_session_attrs=read-write",
        "postgres://u@/db?host=/run/postgresql&sslmode=disable",
        "postgresql://u:p%40ss@[::1]:5432/db",
    ],
)
def test_several_hosts_sockets_and_ipv6_are_accepted(url: str) -> None:
    assert read(DATABASE_URL=url).database_url == url


def test_pooler_is_what_its_setting_says_and_not_a_guess_from_two_addresses() -> None:
    assert read(DATABASE_DIRECT_URL="postgres://direct/db").pooler == "none"
    assert read(GATEPOST_POOLER="prepared").pooler == "prepared"
    assert refused(GATEPOST_POOLER="yes").startswith("GATEPOST_POOLER must be one of")


def test_direct_address_is_required_behind_a_pooler_only() -> None:
    assert read().direct_url() == URL
    direct = "postgres://direct/db"
    assert read(GATEPOST_POOLER="transaction", DATABASE_DIRECT_URL=direct).direct_url() == direct
    with pytest.raises(SettingsError, match="DATABASE_DIRECT_URL is not set"):
        read(GATEPOST_POOLER="transaction").direct_url()


def test_service_keys_are_read() -> None:
    keys = f"a:{DIGEST}:read, b-2.x_:{DIGEST.upper()}:write+secrets+read ,,"
    assert read(GATEPOST_SERVICE_KEYS=keys).service_keys == (
        ServiceKey("a", DIGEST, frozenset({"read"})),
        ServiceKey("b-2.x_", DIGEST, frozenset(SCOPES)),
    )


@pytest.mark.parametrize(
    "entry",
    [
        "hunter2",
        f"a:{DIGEST}",
        f"a:{DIGEST}:",
        f":{DIGEST}:read",
        f"a b:{DIGEST}:read",
        f"{'a' * 64}:{DIGEST}:read",
        "a:hunter2:read",
        f"a:{DIGEST[1:]}:read",
        f"a:{DIGEST}0:read",
        f"a:{DIGEST}:read:write",
        f"a:{DIGEST}:READ",
        f"a:{DIGEST};read",
    ],
)
def test_bad_service_key_is_refused_by_position(entry: str) -> None:
    message = refused(GATEPOST_SERVICE_KEYS=f"first:{DIGEST}:read,{entry}")
    assert message == "GATEPOST_SERVICE_KEYS: entry 2 is not name:sha256-hex:scope+scope"


@pytest.mark.parametrize("scopes", ["admin", "read+admin", "read+", "+read", "read++write"])
def test_unknown_scope_is_refused_by_the_name_of_its_key(scopes: str) -> None:
    message = refused(GATEPOST_SERVICE_KEYS=f"shop:{DIGEST}:{scopes}")
    assert message.startswith("GATEPOST_SERVICE_KEYS: key shop has an unknown scope")
    assert DIGEST not in message


def test_two_keys_with_one_name_are_refused() -> None:
    entry = f"billing:{DIGEST}:read"
    assert "billing" in refused(GATEPOST_SERVICE_KEYS=f"{entry},{entry}")


def test_repr_holds_no_secret() -> None:
    settings = read(
        DATABASE_DIRECT_URL="postgres://u:hunter3@h/db",
        GATEPOST_REPLICA_URL="postgres://u:hunter4@h/db",
        GATEPOST_SERVICE_KEYS=f"shop:{DIGEST}:read",
    )
    for text in (repr(settings), str(settings), repr(settings.service_keys)):
        assert "shop" in text
        assert not any(secret in text for secret in ("hunter", DIGEST))


@given(
    name=st.sampled_from(["DATABASE_URL", "DATABASE_DIRECT_URL", "HOST", *WHOLE, *SECONDS]),
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
)
def test_any_text_is_read_or_refused_by_the_name_of_its_setting(name: str, text: str) -> None:
    try:
        read(**{name: f"{text}hunter2"})
        message = name
    except SettingsError as error:
        message = str(error)
    assert name in message
    assert "hunter2" not in message or not name.startswith("DATABASE")
    assert "\n" not in message
