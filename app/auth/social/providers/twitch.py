"""Twitch: dev.twitch.tv/docs/authentication/getting-tokens-oidc."""

from typing import Final

from ....settings import ProviderSettings
from ..profiles import profile
from ..provider import IdTokenRules, Profile, Provider, RawProfile

_CLAIMS: Final = (
    '{"id_token":{"email":null,"email_verified":null,"preferred_username":null,"picture":null}}'
)


def declare(_: ProviderSettings) -> Provider:
    return Provider(
        id="twitch",
        authorization_url="https://id.twitch.tv/oauth2/authorize",
        token_url="https://id.twitch.tv/oauth2/token",
        scopes=("user:read:email", "openid"),
        pkce=False,
        nonce=True,
        parameters={"claims": _CLAIMS},
        id_token=IdTokenRules(
            issuers=("https://id.twitch.tv/oauth2",),
            jwks_url="https://id.twitch.tv/oauth2/keys",
        ),
        profile=_profile,
    )


def _profile(raw: RawProfile) -> Profile:
    return profile(
        raw,
        subject=raw.get("sub"),
        name=raw.get("preferred_username"),
        email=raw.get("email"),
        verified=raw.get("email_verified"),
        image=raw.get("picture"),
    )
