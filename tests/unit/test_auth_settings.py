"""The settings of the auth API."""

from dataclasses import fields

import pytest

from app.errors import SettingsError
from app.settings import AdminSettings, AuthSettings, JwtSettings, MailSettings, SocialSettings
from app.settings.jwt import Claim
from tests.support import setting_samples

SECRET = "hunter2-Zq3vR8mT1xY6bN4kW9sL2pH7cJ5d"
BASE = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": "https://app.example.com"}


def read(**environment: str) -> AuthSettings:
    found = AuthSettings.from_environment(BASE | environment)
    assert found is not None
    return found


def refused(**environment: str) -> str:
    with pytest.raises(SettingsError) as raised:
        AuthSettings.from_environment(BASE | environment)
    message = str(raised.value)
    assert "hunter2" not in message
    assert "\n" not in message
    return message


CROSS_SITE = {"GATEPOST_COOKIE_SAME_SITE": "none"}
NEEDS = {
    "GATEPOST_SESSION_UPDATE_AGE": {"GATEPOST_SESSION_EXPIRES_IN": "34560000"},
    "GATEPOST_PARTITIONED_COOKIES": CROSS_SITE,
}
"""What a sample needs beside it."""

GOOD = [
    *(s for s in setting_samples(AuthSettings) if s[0] != "GATEPOST_SESSION_UPDATE_AGE"),
    ("GATEPOST_SESSION_UPDATE_AGE", "34559999", "session_update_age", 34559999),
    ("GATEPOST_SESSION_MAX_AGE", "0", "session_max_age", 0),
    ("GATEPOST_BETTER_AUTH_SERVER", "none", "better_auth_server", "none"),
    ("GATEPOST_HOST_COOKIES", "on", "host_cookies", True),
    ("GATEPOST_TRUSTED_ORIGINS", "https://a.example, *.b.example,myapp://", "trusted_origins",
     ("https://a.example", "*.b.example", "myapp://")),
    ("GATEPOST_PLUGINS", "bearer", "plugins", ("bearer",)),
    ("GATEPOST_RATE_LIMIT", "off", "rate_limit", "off"),
    ("GATEPOST_SESSION_EXPIRES_IN", "3600", "session_expires_in", 3600),
    ("GATEPOST_SESSION_UPDATE_AGE", "0", "session_update_age", 0),
    ("GATEPOST_SESSION_FRESH_AGE", "0", "session_fresh_age", 0),
    ("GATEPOST_DEFER_SESSION_REFRESH", "true", "defer_session_refresh", True),
    ("GATEPOST_REQUIRE_EMAIL_VERIFICATION", "true", "require_email_verification", True),
    ("GATEPOST_AUTO_SIGN_IN", "false", "auto_sign_in", False),
    ("GATEPOST_SEND_VERIFICATION_ON_SIGN_UP", "true", "send_verification_on_sign_up", True),
    ("GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION", "true", "auto_sign_in_after_verification", True),
    ("GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_RESET", "false", "revoke_sessions_on_password_reset",
     False),
    ("GATEPOST_DELETE_USER", "true", "delete_user", True),
    ("GATEPOST_DELETE_USER_BY_MAIL", "true", "delete_user_by_mail", True),
    ("GATEPOST_CHANGE_EMAIL", "true", "change_email", True),
    ("GATEPOST_CHANGE_EMAIL_WITHOUT_VERIFICATION", "true", "change_email_without_verification",
     True),
    ("GATEPOST_SECURE_COOKIES", "off", "secure_cookies", False),
    ("GATEPOST_COOKIE_PREFIX", "shop", "cookie_prefix", "shop"),
    ("GATEPOST_COOKIE_DOMAIN", ".example.com", "cookie_domain", ".example.com"),
    ("GATEPOST_COOKIE_SAME_SITE", "none", "cookie_same_site", "none"),
    ("MAIL_PRINT", "true", "mail", MailSettings(printed=True)),
    ("MAIL_FILE", "mails.jsonl", "mail", MailSettings(file="mails.jsonl")),
    ("GATEPOST_JWT_ALGORITHM", "RS256", "jwt", JwtSettings(algorithm="RS256")),
    ("GATEPOST_JWT_EXPIRES_IN", "60", "jwt", JwtSettings(expires_in=60)),
    ("GATEPOST_JWT_ISSUER", "https://a.example", "jwt", JwtSettings(issuer="https://a.example")),
    ("GATEPOST_JWT_AUDIENCE", "a, b", "jwt", JwtSettings(audience=("a", "b"))),
    ("GATEPOST_JWT_CLAIMS", '{"role": "=user", "mail": "email"}', "jwt",
     JwtSettings(claims={"role": Claim(None, "user"), "mail": Claim("email")})),
    ("GATEPOST_JWT_HEADER", "false", "jwt", JwtSettings(header=False)),
    ("GATEPOST_JWT_ROTATE_EVERY", "3600", "jwt", JwtSettings(rotate_every=3600)),
    ("GATEPOST_JWT_GRACE", "3600", "jwt", JwtSettings(grace=3600)),
    ("GATEPOST_ADMIN_ROLES", "admin, owner", "admin", AdminSettings(roles=("admin", "owner"))),
    ("GATEPOST_DEFAULT_ROLE", "member", "admin", AdminSettings(default_role="member")),
    ("GATEPOST_ROLES", '{"support": {"user": ["list"]}}', "admin",
     AdminSettings(own={"support": {"user": frozenset(("list",))}})),
    ("GATEPOST_IMPERSONATION_EXPIRES_IN", "10m", "admin",
     AdminSettings(impersonation_expires_in=600)),
    ("GATEPOST_OAUTH_STATE", "cookie", "social", SocialSettings(oauth_state="cookie")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "field", "value"), GOOD)
def test_good_value_is_read(name: str, text: str, field: str, value: object) -> None:
    assert getattr(read(**{name: text} | NEEDS.get(name, {})), field) == value
    assert getattr(read(), field) != value


def test_good_values_cover_every_field() -> None:
    covered = {field for _, _, field, _ in GOOD} | {"secrets", "base_url"}
    assert covered == {field.name for field in fields(AuthSettings)}


def test_auth_api_is_off_without_secret_and_base_url() -> None:
    assert AuthSettings.from_environment({}) is None
    for name in BASE:
        with pytest.raises(SettingsError, match=f"^{name} is not set"):
            AuthSettings.from_environment({k: v for k, v in BASE.items() if k != name})


def test_secrets_rotate_and_are_not_in_the_repr() -> None:
    found = read(GATEPOST_SECRET=f"{SECRET},{SECRET}x")
    assert found.secrets == (SECRET, f"{SECRET}x")
    assert "hunter2" not in repr(found)
    mail = read(MAIL_URL="smtp://me:hunter2@mail.example:25", MAIL_FROM="a@example.com").mail
    assert mail.url is not None
    assert "hunter2" not in repr(mail)


def test_cookies_are_secure_by_default_with_https() -> None:
    plain = {"GATEPOST_BASE_URL": "http://127.0.0.1:8000"}
    assert read().secure_cookies
    assert not read(**plain).secure_cookies
    assert read(**plain, GATEPOST_SECURE_COOKIES="on").secure_cookies


def test_host_cookies_are_named_so_where_that_is_possible() -> None:
    alone = {"GATEPOST_BETTER_AUTH_SERVER": "none"}
    assert not read().host_cookies  # a Better Auth server would not find them
    assert read(**alone).host_cookies
    assert not read(**alone, GATEPOST_HOST_COOKIES="off").host_cookies
    assert read(GATEPOST_HOST_COOKIES="on").host_cookies
    for impossible in (
        {"GATEPOST_COOKIE_DOMAIN": "example.com"},
        {"GATEPOST_SECURE_COOKIES": "off"},
        {"GATEPOST_BASE_URL": "http://127.0.0.1:8000"},
    ):
        assert not read(**alone | impossible).host_cookies
        assert refused(**impossible, GATEPOST_HOST_COOKIES="on").startswith("GATEPOST_HOST_COOKIES")


def test_cookies_for_other_sites_need_https() -> None:
    assert read().cookie_same_site == "lax"
    assert read(**CROSS_SITE).cookie_same_site == "none"
    for plain in (
        {"GATEPOST_BASE_URL": "http://127.0.0.1:8000"},
        {"GATEPOST_SECURE_COOKIES": "off"},
    ):
        message = refused(**CROSS_SITE, **plain)
        assert message.startswith("GATEPOST_COOKIE_SAME_SITE is none: ")
        assert "GATEPOST_BASE_URL must begin with https://" in message
    message = refused(GATEPOST_PARTITIONED_COOKIES="true")
    assert message.startswith("GATEPOST_PARTITIONED_COOKIES is true: it needs GATEPOST_COOKIE_SAME")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GATEPOST_SECRET", "hunter2"),
        ("GATEPOST_SECRET", f"{SECRET},hunter2"),
        ("GATEPOST_BASE_URL", "app.example.com"),
        ("GATEPOST_BASE_URL", "https://app.example.com/path"),
        ("GATEPOST_BASE_URL", "https://u:hunter2@app.example.com"),
        ("GATEPOST_TRUSTED_ORIGINS", "app.example.com"),
        ("GATEPOST_TRUSTED_ORIGINS", "https://a b"),
        ("GATEPOST_PLUGINS", "bear"),
        ("GATEPOST_PLUGINS", "bearer,oauth"),
        ("GATEPOST_RATE_LIMIT", "on"),
        ("GATEPOST_SESSION_EXPIRES_IN", "59"),
        ("GATEPOST_SESSION_UPDATE_AGE", "-1"),
        ("GATEPOST_AUTO_SIGN_IN", "yes"),
        ("GATEPOST_SESSION_MAX_AGE", "604799"),
        ("GATEPOST_MAX_SESSIONS", "0"),
        ("GATEPOST_BETTER_AUTH_SERVER", "true"),
        ("GATEPOST_HOST_COOKIES", "true"),
        ("GATEPOST_SECURE_COOKIES", "true"),
        ("GATEPOST_COOKIE_PREFIX", "a b"),
        ("GATEPOST_COOKIE_DOMAIN", "example.com; Secure"),
        ("GATEPOST_COOKIE_SAME_SITE", "None"),
        ("MAIL_URL", "https://hunter2@mail.example"),
        ("MAIL_URL", "smtp://"),
        ("MAIL_URL", "smtp://u:hunter2@h:port"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@example.com\nBcc: b@example.com"),
    ],
)
def test_bad_value_is_refused_by_name(name: str, text: str) -> None:
    assert refused(**{name: text}).startswith(name)


def test_mail_server_without_a_sender_is_refused() -> None:
    assert refused(MAIL_URL="smtp://mail.example").startswith("MAIL_FROM is not set")


def test_providers_without_their_packages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.settings.providers.find_spec", lambda _: None)
    providers = '[{"id": "github", "client_id": "a", "client_secret": "hunter2"}]'
    assert "needs the extra social" in refused(GATEPOST_PROVIDERS=providers)


@pytest.mark.parametrize(
    "settings",
    [
        {"GATEPOST_ADMIN_ROLES": "admin,user"},
        {"GATEPOST_ADMIN_ROLES": "owner", "GATEPOST_DEFAULT_ROLE": "owner"},
        {"GATEPOST_DEFAULT_ROLE": "a,b"},
        {"GATEPOST_ROLES": "{}"},
        {"GATEPOST_ROLES": "[]"},
        {"GATEPOST_ROLES": "x"},
        {"GATEPOST_ROLES": '{"a,b": {}}'},
        {"GATEPOST_ROLES": '{"a": ["list"]}'},
        {"GATEPOST_ROLES": '{"a": {"user": "list"}}'},
        {"GATEPOST_ROLES": '{"a": {"user": [1]}}'},
    ],
)
def test_roles_that_cannot_be_are_refused(settings: dict[str, str]) -> None:
    assert refused(**settings).startswith("GATEPOST_")


def test_roles_grant_what_they_say() -> None:
    admin = read(
        GATEPOST_ROLES='{"support": {"user": ["list", "get"]}, "admin": {"user": []}}'
    ).admin
    assert admin.may("support", "user", "list", "get")
    assert admin.may("user,support", "user", "list")
    assert not admin.may("support", "user", "ban")
    assert not admin.may("admin", "user", "ban")  # as it is given
    assert not admin.may("user, support", "user", "list")
    everything = read().admin
    assert everything.may("admin", "user", "set-role")
    assert not everything.may("admin", "user", "impersonate-admins")
    for role in (None, "", "user", "Admin", "admin "):
        assert not everything.may(role, "user", "list")
    assert read(GATEPOST_ADMIN_ROLES="owner").admin.may("owner", "user", "ban")
    assert not read(GATEPOST_ADMIN_ROLES="owner").admin.may("admin", "user", "ban")
