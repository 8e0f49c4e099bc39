"""Microsoft Entra ID: learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc."""

from base64 import b64encode
from typing import Final

from ....settings import ProviderSettings
from ..fetch import Fetch
from ..profiles import profile
from ..provider import IdTokenRules, Profile, Provider, RawProfile, Tokens

_AUTHORITY: Final = "https://login.microsoftonline.com"
_PERSONAL: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of accounts that belong to nobody but a person."""
_PHOTO: Final = "https://graph.microsoft.com/v1.0/me/photos/48x48/$value"


def declare(settings: ProviderSettings) -> Provider:
    tenant = settings.tenant_id or "common"
    scopes = ("openid", "profile", "email", "User.Read", "offline_access")

    def is_of_the_tenant(claims: RawProfile) -> bool:
        own = claims.get("tid")
        allowed = {
            "common": True,
            "organizations": own != _PERSONAL,
            "consumers": own == _PERSONAL,
        }.get(tenant, own == tenant)
        return isinstance(own, str) and allowed and claims["iss"] == f"{_AUTHORITY}/{own}/v2.0"

    return Provider(
        id="microsoft",
        authorization_url=f"{_AUTHORITY}/{tenant}/oauth2/v2.0/authorize",
        token_url=f"{_AUTHORITY}/{tenant}/oauth2/v2.0/token",
        scopes=scopes,
        nonce=True,
        passes_login_hint=True,
        refresh_parameters={
            "scope": " ".join(
                (*(() if settings.disable_default_scopes else scopes), *settings.scopes)
            )
        },
        id_token=IdTokenRules(
            issuers=(),
            jwks_url=f"{_AUTHORITY}/{tenant}/discovery/v2.0/keys",
            max_age=3600,
            from_client=True,
            accepts=is_of_the_tenant,
        ),
        fetch=_fetch,
        profile=_profile,
    )


async def _fetch(fetch: Fetch, tokens: Tokens, _: str | None) -> RawProfile:
    photo = await fetch.picture(_PHOTO, token=tokens.access_token) if tokens.access_token else None
    image = f"data:image/jpeg;base64, {b64encode(photo).decode()}" if photo else None
    return {**(fetch.claims or {}), "picture": image}


def _profile(raw: RawProfile) -> Profile:
    email = raw.get("email")
    lists = (raw.get(name) for name in ("verified_primary_email", "verified_secondary_email"))
    listed = any(isinstance(each, list) and email in each for each in lists)
    return profile(
        raw,
        subject=raw.get("oid"),
        name=raw.get("name"),
        email=email,
        verified=raw.get("email_verified", listed),
        image=raw.get("picture"),
    )
