"""Facebook: developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow."""

from typing import Final

from ....settings import ProviderSettings
from ..fetch import Fetch
from ..profiles import checked, member, profile
from ..provider import IdTokenRules, Profile, Provider, RawProfile, Tokens, UserInfoError

_GRAPH: Final = "https://graph.facebook.com"


def declare(settings: ProviderSettings) -> Provider:
    async def fetch_profile(fetch: Fetch, tokens: Tokens, _: str | None) -> RawProfile:
        """A token that was made for another application proves nothing: it is inspected first."""
        if fetch.claims is not None:  # Limited Login
            return fetch.claims
        token = tokens.access_token or ""
        secret = f"{settings.client_ids[0]}|{settings.client_secret}"
        found = await fetch.json(
            f"{_GRAPH}/debug_token",
            parameters={"input_token": token, "access_token": secret},
        )
        user, app = member(found, "data", "user_id"), member(found, "data", "app_id")
        if member(found, "data", "is_valid") is not True or app not in settings.client_ids:
            raise UserInfoError("the access token is not this application's")
        fields = {"fields": "id,name,email,picture"}
        raw = checked(await fetch.json(f"{_GRAPH}/me", token=token, parameters=fields))
        if user is None or raw.get("id") != user:
            raise UserInfoError("the profile is about somebody else")
        return raw

    return Provider(
        id="facebook",
        authorization_url="https://www.facebook.com/v24.0/dialog/oauth",
        token_url=f"{_GRAPH}/v24.0/oauth/access_token",
        scopes=("email", "public_profile"),
        pkce=False,
        passes_login_hint=True,
        id_token=IdTokenRules(
            issuers=("https://www.facebook.com",),
            jwks_url="https://limited.facebook.com/.well-known/oauth/openid/jwks/",
            from_client=True,
            or_access_token=True,
        ),
        fetch=fetch_profile,
        profile=_profile,
    )


def _profile(raw: RawProfile) -> Profile:
    return profile(
        raw,
        subject=raw.get("id") or raw.get("sub"),
        name=raw.get("name"),
        email=raw.get("email"),
        image=member(raw, "picture", "data", "url") or raw.get("picture"),
    )
