"""A wrong setting is one line that names it, without a secret, and exit code 2, on every way."""

import json
import os
import subprocess
import sys

import pytest

from app.main import create_app
from app.settings import Settings
from app.settings.misspelt import check_names
from tests.support import ROOT, SECRET

DIGEST = "0123456789abcdef" * 4
GOOD = {
    "DATABASE_URL": "postgres://gatepost:hunter2@127.0.0.1:1/gatepost",
    "GATEPOST_SERVICE_KEYS": f"shop:{DIGEST}:read",
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": "https://auth.example.com",
}
AUTH = ("GATEPOST_SECRET", "GATEPOST_BASE_URL")

# the setting that is named, a text that the line holds, and what is set besides GOOD
WRONG: list[tuple[str, str, dict[str, str]]] = [
    ("DATABASE_URL", "is not set", {"DATABASE_URL": ""}),
    ("DATABASE_URL", "is not a PostgreSQL address", {"DATABASE_URL": "mysql://u:hunter2@h/db"}),
    ("DATABASE_URL", "percent-encoded", {"DATABASE_URL": "postgres://u:hunter2/x@h/db"}),
    ("DATABASE_URL", "percent-encoded", {"DATABASE_URL": "postgres://u:12345/hunter2@h/db"}),
    ("GATEPOST_TRUSTED_ORIGINS", "no user", {"GATEPOST_TRUSTED_ORIGINS": "https://u:hunter2@h/ x"}),
    ("DATABASE_URL", "from 1 to 65535", {"DATABASE_URL": "postgres://u:hunter2@h:99999/db"}),
    ("DATABASE_URL", "sslmode must be one of disable", {"DATABASE_URL": "postgres://h/x?sslmode=on"}),
    ("DATABASE_URL", "read-write", {"DATABASE_URL": "postgres://h/x?target_session_attrs=rw"}),
    ("DATABASE_DIRECT_URL", "is not a PostgreSQL", {"DATABASE_DIRECT_URL": "hunter2"}),
    ("GATEPOST_REPLICA_URL", "is not a PostgreSQL", {"GATEPOST_REPLICA_URL": "http://u:hunter2@h"}),
    ("GATEPOST_POOLER", "transaction, prepared, not 'yes'", {"GATEPOST_POOLER": "yes"}),
    ("GATEPOST_SERVICE_KEYS", "entry 1 is not name", {"GATEPOST_SERVICE_KEYS": "hunter2"}),
    ("GATEPOST_SERVICE_KEYS", "key a has an", {"GATEPOST_SERVICE_KEYS": f"a:{DIGEST}:admin"}),
    ("GATEPOST_SERVICE_KEYS_FILE", "No such", {"GATEPOST_SERVICE_KEYS_FILE": "/nowhere/keys"}),
    ("GATEPOST_SERVICE_KEYS_FILE", r"not '/a\nb'", {"GATEPOST_SERVICE_KEYS_FILE": "/a\nb"}),
    ("PORT", "from 1 to 65535, not '0'", {"PORT": "0"}),
    ("PORT", "not 'http'", {"PORT": "http"}),
    ("GATEPOST_METRICS_PORT", "not 'tcp://10.0.0.1:9464'",
     {"GATEPOST_METRICS_PORT": "tcp://10.0.0.1:9464"}),
    ("GATEPOST_TRACING", "true or false, not 'on'", {"GATEPOST_TRACING": "on"}),
    ("GATEPOST_TRUSTED_PROXIES", "'proxy' is not", {"GATEPOST_TRUSTED_PROXIES": "proxy"}),
    ("GATEPOST_POOL_SIZE", "from 1 to 1000, not '1001'", {"GATEPOST_POOL_SIZE": "1001"}),
    ("GATEPOST_ACQUIRE_TIMEOUT", "above 0, ", {"GATEPOST_ACQUIRE_TIMEOUT": "0"}),
    ("GATEPOST_QUERY_TIMEOUT", "not '10 s'", {"GATEPOST_QUERY_TIMEOUT": "10 s"}),
    ("GATEPOST_REST_QUERY_TIMEOUT", "not 'inf'", {"GATEPOST_REST_QUERY_TIMEOUT": "inf"}),
    ("GATEPOST_REQUEST_TIMEOUT", "below 1000000s", {"GATEPOST_REQUEST_TIMEOUT": "12d"}),
    ("GATEPOST_MAX_ROWS", "to 1000000, not 'all'", {"GATEPOST_MAX_ROWS": "all"}),
    ("GATEPOST_MAX_BODY", "not '1MB'", {"GATEPOST_MAX_BODY": "1MB"}),
    ("GATEPOST_CITUS", "not 'yes'", {"GATEPOST_CITUS": "yes"}),
    ("GATEPOST_PURGE_EVERY", "from 0 to 400d", {"GATEPOST_PURGE_EVERY": "500ms"}),
    ("GATEPOST_SECRET", "is not set", {"GATEPOST_SECRET": ""}),
    ("GATEPOST_SECRET", "32 characters or more", {"GATEPOST_SECRET": "hunter2"}),
    ("GATEPOST_SECRET", "openssl rand", {"GATEPOST_SECRET": "hunter2" * 6}),
    ("GATEPOST_BASE_URL", "is not set", {"GATEPOST_BASE_URL": ""}),
    ("GATEPOST_BASE_URL", "an origin such as", {"GATEPOST_BASE_URL": "https://u:hunter2@h"}),
    ("GATEPOST_BETTER_AUTH_SERVER", "not 'node'", {"GATEPOST_BETTER_AUTH_SERVER": "node"}),
    ("GATEPOST_TRUSTED_ORIGINS", "lacks its scheme", {"GATEPOST_TRUSTED_ORIGINS": "a.example.com"}),
    ("GATEPOST_TRUSTED_ORIGINS", "every site", {"GATEPOST_TRUSTED_ORIGINS": "*"}),
    ("GATEPOST_TRUSTED_ORIGINS", "every site", {"GATEPOST_TRUSTED_ORIGINS": "https://*"}),
    ("GATEPOST_TRUSTED_ORIGINS", "every site", {"GATEPOST_TRUSTED_ORIGINS": "myapp://,http*://*.*"}),
    ("GATEPOST_TRUSTED_ORIGINS", "every site", {"GATEPOST_TRUSTED_ORIGINS": "*:*"}),
    ("GATEPOST_TRUSTED_ORIGINS", "of strangers", {"GATEPOST_TRUSTED_ORIGINS": "*example.com"}),
    ("GATEPOST_TRUSTED_ORIGINS", "of strangers", {"GATEPOST_TRUSTED_ORIGINS": "https://a.example*"}),
    ("GATEPOST_TRUSTED_ORIGINS", "of strangers", {"GATEPOST_TRUSTED_ORIGINS": "https://a*b.example"}),
    ("GATEPOST_TRUSTED_ORIGINS", "of strangers", {"GATEPOST_TRUSTED_ORIGINS": "https://a.example.?"}),
    ("GATEPOST_PLUGINS", "'jtw' is not known", {"GATEPOST_PLUGINS": "jtw"}),
    ("GATEPOST_RATE_LIMIT", "not 'none'", {"GATEPOST_RATE_LIMIT": "none"}),
    ("GATEPOST_SESSION_EXPIRES_IN", "from 1m to 400d", {"GATEPOST_SESSION_EXPIRES_IN": "30s"}),
    ("GATEPOST_SESSION_EXPIRES_IN", "not '1 week'", {"GATEPOST_SESSION_EXPIRES_IN": "1 week"}),
    ("GATEPOST_SESSION_UPDATE_AGE", "must be less", {"GATEPOST_SESSION_UPDATE_AGE": "7d"}),
    ("GATEPOST_SESSION_MAX_AGE", "outlive", {"GATEPOST_SESSION_MAX_AGE": "1d"}),
    ("GATEPOST_SESSION_FRESH_AGE", "to 400d", {"GATEPOST_SESSION_FRESH_AGE": "401d"}),
    ("GATEPOST_MAX_SESSIONS", "from 1 to", {"GATEPOST_MAX_SESSIONS": "0"}),
    ("GATEPOST_AUTO_SIGN_IN", "not 'False'", {"GATEPOST_AUTO_SIGN_IN": "False"}),
    ("GATEPOST_HOST_COOKIES", "needs secure cookies",
     {"GATEPOST_HOST_COOKIES": "on", "GATEPOST_COOKIE_DOMAIN": "example.com"}),
    ("GATEPOST_COOKIE_PREFIX", "letters, digits", {"GATEPOST_COOKIE_PREFIX": "a b"}),
    ("GATEPOST_COOKIE_DOMAIN", "a domain", {"GATEPOST_COOKIE_DOMAIN": "a.example; Secure"}),
    ("GATEPOST_DELETE_USER_BY_MAIL", "no mail can be sent",
     {"GATEPOST_DELETE_USER": "true", "GATEPOST_DELETE_USER_BY_MAIL": "true"}),
    ("GATEPOST_PROVIDERS", "is not JSON", {"GATEPOST_PROVIDERS": '[{"id": hunter2}]'}),
    ("GATEPOST_PROVIDERS", "is neither a JSON list", {
        "GATEPOST_PROVIDERS": """'[{"id": "a", "client_secret": "hunter2"}]'"""}),
    ("GATEPOST_PROVIDERS", "must begin with https", {"GATEPOST_PROVIDERS": json.dumps(
        [{"id": "a", "client_id": "b", "client_secret": "hunter2",
          "discovery_url": "http://h/.well-known/openid-configuration"}])}),
    ("GATEPOST_TRUSTED_PROVIDERS", "'gogle' is not in", {
        "GATEPOST_PROVIDERS": '[{"id": "google", "client_id": "a", "client_secret": "hunter2"}]',
        "GATEPOST_TRUSTED_PROVIDERS": "gogle"}),
    ("GATEPOST_OAUTH_STATE", "database, cookie, not 'file'", {"GATEPOST_OAUTH_STATE": "file"}),
    ("MAIL_URL", "is not a mail server", {"MAIL_URL": "https://u:hunter2@mail.example"}),
    ("MAIL_FROM", "is not set", {"MAIL_URL": "smtp://u:hunter2@mail.example"}),
    ("MAIL_FROM", r"not 'a@b\nBcc: c@d'", {"MAIL_FROM": "a@b\nBcc: c@d"}),
    ("MAIL_PRINT", "not '1'", {"MAIL_PRINT": "1"}),
    # what is misspelt
    ("GATEPOST_SECRETS", "did you mean GATEPOST_SECRET?", {"GATEPOST_SECRETS": "hunter2"}),
    ("GATEPOST_TRUSTED_ORIGIN", "mean GATEPOST_TRUSTED_ORIGINS?",
     {"GATEPOST_TRUSTED_ORIGIN": "https://a.example"}),
    ("GATEPOST_METRIC_PORT", "mean GATEPOST_METRICS_PORT?", {"GATEPOST_METRIC_PORT": "9464"}),
    ("GATEPOST_RATELIMIT", "mean GATEPOST_RATE_LIMIT?", {"GATEPOST_RATELIMIT": "off"}),
    ("GATEPOST_COLOUR", "is not a setting: unset it", {"GATEPOST_COLOUR": "hunter2"}),
    # what is wrong in a part that is off
    *(
        (name, "", {name: text, **dict.fromkeys(AUTH, "")})
        for name, text in (
            ("MAIL_URL", "https://u:hunter2@mail.example"),
            ("GATEPOST_RATE_LIMIT", "none"),
            ("GATEPOST_TRUSTED_ORIGINS", "*"),
            ("GATEPOST_SESSION_UPDATE_AGE", "8d"),
            ("GATEPOST_AUTO_SIGN_IN", "yes"),
        )
    ),
    ("GATEPOST_SECRET", "nothing to serve", dict.fromkeys((*AUTH, "GATEPOST_SERVICE_KEYS"), "")),
]  # fmt: skip


def check_line(error_output: str, name: str, said: str) -> None:
    (line,) = error_output.splitlines()
    assert line.startswith("gatepost: ")
    assert name in line
    assert said in line
    assert not any(secret in line for secret in ("hunter2", DIGEST, SECRET))


@pytest.mark.parametrize(("name", "said", "settings"), WRONG)
def test_wrong_setting_is_one_line_and_exit_code_2(
    name: str,
    said: str,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, value in (GOOD | settings).items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:  # as with uvicorn, by the same function as the others
        create_app()
    assert ended.value.code == 2
    check_line(capsys.readouterr().err, name, said)


def test_good_settings_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in GOOD.items():
        monkeypatch.setenv(variable, value)
    assert create_app().state.auth is not None
    assert len(WRONG) > 40


@pytest.mark.parametrize(
    "entry",
    ["https://*.example.com", "https://app-*-team.hosting.example", "https://one?.example",
     "http://*.localhost:3000", "http://127.0.0.1:*", "10.0.0.*", "exp://192.168.*.*:*/path"],
)  # fmt: skip
def test_wildcards_in_a_domain_of_ones_own_are_taken(entry: str) -> None:
    settings = Settings.from_environment(GOOD | {"GATEPOST_TRUSTED_ORIGINS": entry})
    assert settings.auth is not None
    assert settings.auth.trusted_origins == (entry,)


UVICORN = ("uvicorn", "app.main:app", "--port", "0")
FACTORY = ("uvicorn", "--factory", "app.main:create_app", "--port", "0")


@pytest.mark.parametrize(
    ("module", "name", "settings"),
    [
        (("app.cli", "serve"), "GATEPOST_SECRETS", {"GATEPOST_SECRETS": "hunter2"}),
        (("app.cli", "migrate"), "MAIL_URL", {"MAIL_URL": "hunter2", "GATEPOST_SECRET": ""}),
        (("app.cli", "doctor"), "GATEPOST_QUERY_TIMEOUT", {"GATEPOST_QUERY_TIMEOUT": "0s"}),
        (UVICORN, "GATEPOST_TRUSTED_ORIGINS", {"GATEPOST_TRUSTED_ORIGINS": "*"}),
        (FACTORY, "DATABASE_URL", {"DATABASE_URL": "mysql://u:hunter2@h/db"}),
    ],
)
def test_process_with_a_wrong_setting_ends_with_2(
    module: tuple[str, ...], name: str, settings: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=ROOT, env=os.environ | GOOD | settings, check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    check_line(done.stderr, name, "")


OTHERS = {
    "GATEPOST_TEST_DATABASE_URL": "postgres://h/db",
    # Services called gatepost and gatepost-metrics, as Kubernetes tells their containers
    "GATEPOST_SERVICE_HOST": "10.0.0.1",
    "GATEPOST_SERVICE_PORT": "8000",
    "GATEPOST_SERVICE_PORT_HTTP": "8000",
    "GATEPOST_PORT": "tcp://10.0.0.1:8000",
    "GATEPOST_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "GATEPOST_PORT_8000_TCP_PROTO": "tcp",
    "GATEPOST_PORT_8000_TCP_PORT": "8000",
    "GATEPOST_PORT_8000_TCP_ADDR": "10.0.0.1",
    "GATEPOST_METRICS_SERVICE_HOST": "10.0.0.2",
    "GATEPOST_METRICS_PORT_9464_TCP": "tcp://10.0.0.2:9464",
    "GATEPOSTMAN": "1",
    "MY_GATEPOST_SECRET": "1",
    "GATEPOST_SECRTE": "",  # an empty one counts as not set
}


@pytest.mark.parametrize("name", OTHERS)
def test_name_of_somebody_else_is_left_alone(name: str) -> None:
    check_names(Settings, {name: OTHERS[name]})
    assert Settings.from_environment(GOOD | {name: OTHERS[name]})
