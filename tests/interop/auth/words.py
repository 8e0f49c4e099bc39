"""Providers as Better Auth has them: the words of GATEPOST_PROVIDERS in those of its options."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.settings.providers import BUILT_IN

_COMMON: Final = {
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "prompt": "prompt",
    "disable_sign_up": "disableSignUp",
    "disable_implicit_sign_up": "disableImplicitSignUp",
    "require_email_verification": "requireEmailVerification",
    "response_mode": "responseMode",
}
_BUILT_IN: Final = _COMMON | {
    "scopes": "scope",
    "override_user_info": "overrideUserInfoOnSignIn",
    "disable_default_scopes": "disableDefaultScope",
    "disable_id_token_sign_in": "disableIdTokenSignIn",
    "hosted_domain": "hd",
    "access_type": "accessType",
    "tenant_id": "tenantId",
    "issuer": "issuer",
    "app_bundle_identifier": "appBundleIdentifier",
}
_GENERIC: Final = _COMMON | {
    "id": "providerId",
    "scopes": "scopes",
    "override_user_info": "overrideUserInfo",
    "discovery_url": "discoveryUrl",
    "authorization_url": "authorizationUrl",
    "token_url": "tokenUrl",
    "userinfo_url": "userInfoUrl",
    "token_endpoint_auth": "authentication",
    "pkce": "pkce",
    "disable_provider_logout": "disableProviderLogout",
}
_OURS: Final = {"allow_private_addresses"}
"""What Better Auth has no word for: it asks any address."""


def built_in(providers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Better Auth's ``socialProviders``."""
    return {
        one["id"]: {_BUILT_IN[key]: value for key, value in one.items() if key != "id"}
        for one in providers
        if one["id"] in BUILT_IN
    }


def generic(providers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ``config`` of Better Auth's genericOAuth plugin."""
    return [
        {_GENERIC[key]: value for key, value in one.items() if key not in _OURS}
        for one in providers
        if one["id"] not in BUILT_IN
    ]
