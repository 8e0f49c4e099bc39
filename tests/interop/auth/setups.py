"""The configurations in which the servers are compared, each in the words of both."""

from typing import Final

from tests.interop.auth.servers import Setup

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

SETUPS: Final = {
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
    "limited": Setup(
        settings={"GATEPOST_RATE_LIMIT": "memory"},
        options={"rateLimit": {"enabled": True, "storage": "memory"}},
    ),
    "limited by table": Setup(
        settings={"GATEPOST_RATE_LIMIT": "database"},
        options={"rateLimit": {"enabled": True, "storage": "database"}},
    ),
}
