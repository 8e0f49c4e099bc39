"""The configurations with providers, each in the words of both servers."""

from typing import Any, Final

from app.settings.providers import BUILT_IN
from tests.interop.auth.provider import CLIENT_ID, CLIENT_SECRET
from tests.interop.auth.servers import PROVIDER, Setup
from tests.social.running_hosts import PLAYED, provider_settings

TRUSTED: Final = ("https://app.example.com", "myapp://")


def discovered(name: str, **more: Any) -> dict[str, Any]:
    """A provider whose addresses are in its discovery document."""
    url = f"{PROVIDER}/{name}/.well-known/openid-configuration"
    return _generic(name, discovery_url=url, scopes=["profile", "email"]) | more


def addressed(name: str, **more: Any) -> dict[str, Any]:
    """A provider whose addresses are configured: OAuth 2.0, without ID tokens."""
    here = f"{PROVIDER}/{name}"
    return (
        _generic(
            name,
            authorization_url=f"{here}/authorize",
            token_url=f"{here}/token",
            userinfo_url=f"{here}/userinfo",
            scopes=["read"],
        )
        | more
    )


def _generic(name: str, **more: Any) -> dict[str, Any]:
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return {"id": name, **client, "allow_private_addresses": True, **more}


BUILT_IN_ONES: Final = tuple(
    {"id": name, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} for name in BUILT_IN
)
BASIC: Final = (discovered("oidc"), addressed("plain"), addressed("trusted"))
ORIGINS: Final = {"GATEPOST_TRUSTED_ORIGINS": ",".join(TRUSTED)}

SOCIAL_SETUPS: Final = {
    "social": Setup(
        settings={**ORIGINS, "GATEPOST_TRUSTED_PROVIDERS": "trusted"},
        options={
            "trustedOrigins": TRUSTED,
            "account": {"accountLinking": {"trustedProviders": ["trusted"]}},
        },
        providers=(
            *BASIC,
            discovered("quiet", disable_provider_logout=True, token_endpoint_auth="basic"),
            addressed("basic", token_endpoint_auth="basic"),
            addressed("posting", response_mode="form_post"),
            addressed("bare", pkce=False, scopes=[]),
            addressed("closed", disable_sign_up=True),
            addressed("asking", disable_implicit_sign_up=True),
            addressed("overriding", override_user_info=True),
            addressed("strict", require_email_verification=True),
            addressed("prompting", prompt="consent"),
            *BUILT_IN_ONES,
        ),
    ),
    "social, optioned": Setup(
        settings={**ORIGINS, "GATEPOST_SECURE_COOKIES": "on", "GATEPOST_COOKIE_PREFIX": "gate"},
        options={
            "trustedOrigins": TRUSTED,
            "advanced": {"useSecureCookies": True, "cookiePrefix": "gate"},
        },
        providers=(
            *BASIC,
            {
                **BUILT_IN_ONES[BUILT_IN.index("google")],
                "access_type": "offline",
                "hosted_domain": "example.com",
                "prompt": "consent",
                "scopes": ["calendar"],
            },
            {**BUILT_IN_ONES[BUILT_IN.index("microsoft")], "tenant_id": "organizations"},
            {**BUILT_IN_ONES[BUILT_IN.index("gitlab")], "issuer": "https://git.example.com"},
            {
                **BUILT_IN_ONES[BUILT_IN.index("github")],
                "disable_default_scopes": True,
                "scopes": ["repo", "gist"],
            },
            {
                **BUILT_IN_ONES[BUILT_IN.index("apple")],
                "client_id": ["one", "two"],
                "app_bundle_identifier": "com.example.app",
            },
            {**BUILT_IN_ONES[BUILT_IN.index("discord")], "scopes": ["guilds"]},
            {**BUILT_IN_ONES[BUILT_IN.index("slack")], "scopes": ["more"]},
            {**BUILT_IN_ONES[BUILT_IN.index("facebook")], "disable_id_token_sign_in": True},
        ),
    ),
    "social, state in a cookie": Setup(
        settings={
            **ORIGINS,
            "GATEPOST_OAUTH_STATE": "cookie",
            "GATEPOST_LINK_DIFFERENT_EMAILS": "true",
            "GATEPOST_LINK_UNVERIFIED_USERS": "true",
            "GATEPOST_UPDATE_USER_ON_LINK": "true",
            "GATEPOST_UNLINK_LAST_ACCOUNT": "true",
            "GATEPOST_ENCRYPT_OAUTH_TOKENS": "true",
        },
        options={
            "trustedOrigins": TRUSTED,
            "account": {
                "storeStateStrategy": "cookie",
                "encryptOAuthTokens": True,
                "accountLinking": {
                    "allowDifferentEmails": True,
                    "requireLocalEmailVerified": False,
                    "updateUserInfoOnLink": True,
                    "allowUnlinkingAll": True,
                },
            },
        },
        providers=BASIC,
    ),
    "social, nothing implicit": Setup(
        settings={
            **ORIGINS,
            "GATEPOST_IMPLICIT_LINKING": "false",
            "GATEPOST_UPDATE_ACCOUNT_ON_SIGN_IN": "false",
        },
        options={
            "trustedOrigins": TRUSTED,
            "account": {
                "updateAccountOnSignIn": False,
                "accountLinking": {"disableImplicitLinking": True},
            },
        },
        providers=BASIC,
    ),
    "social, built in": Setup(
        settings=ORIGINS,
        options={"trustedOrigins": TRUSTED},
        providers=tuple(provider_settings(name) for name in PLAYED),
        played=True,
    ),
    "social, no linking": Setup(
        settings={
            **ORIGINS,
            "GATEPOST_ACCOUNT_LINKING": "false",
            "GATEPOST_TRUSTED_PROVIDERS": "trusted",
        },
        options={
            "trustedOrigins": TRUSTED,
            "account": {"accountLinking": {"enabled": False, "trustedProviders": ["trusted"]}},
        },
        providers=BASIC,
    ),
}
