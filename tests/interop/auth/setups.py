"""The configurations in which the servers are compared, each in the words of both."""

import json
from typing import Final

from tests.interop.auth.servers import Setup
from tests.interop.auth.social_setups import SOCIAL_SETUPS

TRUSTED: Final = (
    "https://app.example.com",
    "http://localhost:3000",
    "*.wild.example",
    "https://*.deep.example:8443",
    "https://one?.example",
    "10.0.0.*",
    "myapp://",
    "exp://10.0.0.*:*/path",
)

DELETE_AND_CHANGE: Final = {
    "deleteUser": {"enabled": True},
    "changeEmail": {"enabled": True},
}

FIELDS: Final = {
    "user": {
        "plan": {"type": "string", "required": False, "defaultValue": "free"},
        "company": {"type": "string", "required": True},
        "newsletter": {"type": "boolean", "required": True, "defaultValue": False},
        "loginCount": {
            "type": "number",
            "required": False,
            "defaultValue": 0,
            "input": False,
            "fieldName": "login_count",
        },
        "age": {"type": "number", "required": False},
        "bornAt": {"type": "date", "required": False, "fieldName": "born_at"},
        "tags": {"type": "string[]", "required": False},
        "numbers": {"type": "number[]", "required": False},
        "settings": {"type": "json", "required": False},
        "note": {"type": "string", "required": False, "returned": False},
        "customerId": {
            "type": "string",
            "required": False,
            "input": False,
            "fieldName": "customer_id",
        },
    },
    "session": {
        "theme": {"type": "string", "required": False, "defaultValue": "light"},
        "device": {"type": "string", "required": False, "input": False},
        "hint": {"type": "string", "required": False, "returned": False},
    },
}
"""Better Auth's ``additionalFields``."""

_IN_TOML: Final = {"defaultValue": "default", "fieldName": "column"}
FIELDS_IN_TOML: Final = "".join(
    f"[{table}s.{name}]\n"
    + "".join(f"{_IN_TOML.get(key, key)} = {json.dumps(value)}\n" for key, value in field.items())
    for table, fields in FIELDS.items()
    for name, field in fields.items()
)
"""The same for Gatepost."""

COLUMNS: Final = """
    ALTER TABLE users ADD plan text, ADD company text NOT NULL DEFAULT '',
        ADD newsletter boolean NOT NULL DEFAULT false, ADD login_count integer, ADD age integer,
        ADD born_at timestamptz(3), ADD tags jsonb, ADD numbers jsonb, ADD settings jsonb,
        ADD note text, ADD customer_id text;
    ALTER TABLE sessions ADD theme text, ADD device text, ADD hint text;
"""

SETUPS: Final = {
    **SOCIAL_SETUPS,
    "plain": Setup(
        settings={
            "GATEPOST_TRUSTED_ORIGINS": ",".join(TRUSTED),
            "GATEPOST_DELETE_USER": "true",
            "GATEPOST_CHANGE_EMAIL": "true",
        },
        options={"trustedOrigins": TRUSTED, "user": DELETE_AND_CHANGE},
    ),
    # nothing is set, and there is no way to send a mail
    "bare": Setup(mails=""),
    "bare, but a change of address": Setup(
        settings={"GATEPOST_CHANGE_EMAIL": "true"},
        options={"user": {"changeEmail": {"enabled": True}}},
        mails="",
    ),
    "strict": Setup(
        settings={
            "GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true",
            "GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION": "true",
            "GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_RESET": "true",
            "GATEPOST_DELETE_USER": "true",
            "GATEPOST_DELETE_USER_BY_MAIL": "true",
            "GATEPOST_CHANGE_EMAIL": "true",
            "GATEPOST_CHANGE_EMAIL_WITHOUT_VERIFICATION": "true",
        },
        options={
            "emailAndPassword": {
                "requireEmailVerification": True,
                "revokeSessionsOnPasswordReset": True,
            },
            "emailVerification": {"autoSignInAfterVerification": True},
            "user": {
                "deleteUser": {"enabled": True},
                "changeEmail": {"enabled": True, "updateEmailWithoutVerification": True},
            },
        },
        mails="reset-password,verify-email,delete-account",
    ),
    "quiet": Setup(
        settings={
            "GATEPOST_AUTO_SIGN_IN": "false",
            "GATEPOST_SEND_VERIFICATION_ON_SIGN_UP": "true",
            "GATEPOST_SESSION_FRESH_AGE": "0",
            "GATEPOST_DELETE_USER": "true",
            "GATEPOST_CHANGE_EMAIL": "true",
            "GATEPOST_CHANGE_EMAIL_WITHOUT_VERIFICATION": "true",
            "GATEPOST_SECURE_COOKIES": "on",
        },
        options={
            "emailAndPassword": {"autoSignIn": False},
            "emailVerification": {"sendOnSignUp": True},
            "session": {"freshAge": 0},
            "user": {
                "deleteUser": {"enabled": True},
                "changeEmail": {"enabled": True, "updateEmailWithoutVerification": True},
            },
            "advanced": {"useSecureCookies": True},
        },
    ),
    "deferred": Setup(
        settings={
            "GATEPOST_DEFER_SESSION_REFRESH": "true",
            "GATEPOST_SESSION_EXPIRES_IN": "36000",
            "GATEPOST_SESSION_UPDATE_AGE": "7200",
            "GATEPOST_SESSION_FRESH_AGE": "3600",
            "GATEPOST_SECURE_COOKIES": "off",
        },
        options={
            "session": {
                "deferSessionRefresh": True,
                "expiresIn": 36000,
                "updateAge": 7200,
                "freshAge": 3600,
            },
            "advanced": {"useSecureCookies": False},
        },
        base_url="https://auth.gatepost.test",
    ),
    "secure": Setup(
        settings={
            "GATEPOST_COOKIE_PREFIX": "gate",
            "GATEPOST_COOKIE_DOMAIN": "gatepost.test",
            "GATEPOST_TRUSTED_PROXIES": "127.0.0.1/32,10.1.0.0/16,2001:db8:7::/48",
        },
        options={
            "advanced": {
                "cookiePrefix": "gate",
                "crossSubDomainCookies": {"enabled": True, "domain": "gatepost.test"},
                "ipAddress": {"trustedProxies": ["127.0.0.1/32", "10.1.0.0/16", "2001:db8:7::/48"]},
            },
        },
        base_url="https://auth.gatepost.test",
    ),
    "cross-site": Setup(
        settings={
            "GATEPOST_COOKIE_SAME_SITE": "none",
            "GATEPOST_PARTITIONED_COOKIES": "true",
            "GATEPOST_DELETE_USER": "true",
            "GATEPOST_TRUSTED_ORIGINS": "https://app.example.com",
        },
        options={
            "advanced": {
                "defaultCookieAttributes": {
                    "sameSite": "none",
                    "secure": True,
                    "partitioned": True,
                },
            },
            "user": {"deleteUser": {"enabled": True}},
            "trustedOrigins": ["https://app.example.com"],
        },
        base_url="https://auth.gatepost.test",
    ),
    "fields": Setup(
        settings={"GATEPOST_CHANGE_EMAIL": "true"},
        options={
            "user": {"additionalFields": FIELDS["user"], "changeEmail": {"enabled": True}},
            "session": {"additionalFields": FIELDS["session"]},
        },
        schema=FIELDS_IN_TOML,
        columns=COLUMNS,
    ),
    "fields, and addresses verified": Setup(
        settings={"GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true"},
        options={
            "emailAndPassword": {"requireEmailVerification": True},
            "user": {"additionalFields": FIELDS["user"]},
            "session": {"additionalFields": FIELDS["session"]},
        },
        schema=FIELDS_IN_TOML,
        columns=COLUMNS,
    ),
    "admin": Setup(settings={"GATEPOST_PLUGINS": "admin,bearer"}, admin={}),
    "limited": Setup(
        settings={"GATEPOST_RATE_LIMIT": "memory"},
        options={"rateLimit": {"enabled": True, "storage": "memory"}},
    ),
    "limited by table": Setup(
        settings={"GATEPOST_RATE_LIMIT": "database"},
        options={"rateLimit": {"enabled": True, "storage": "database"}},
    ),
}
