"""X, formerly Twitter: docs.x.com/fundamentals/authentication/oauth-2-0."""

from contextlib import suppress
from typing import Final

from ....settings import ProviderSettings
from ..fetch import Fetch
from ..profiles import checked, member, profile
from ..provider import Profile, Provider, RawProfile, Tokens, UserInfoError

_ME: Final = "https://api.x.com/2/users/me"


def declare(_: ProviderSettings) -> Provider:
    return Provider(
        id="twitter",
        authorization_url="https://x.com/i/oauth2/authorize",
        token_url="https://api.x.com/2/oauth2/token",
        token_endpoint_auth="basic",
        scopes=("users.read", "tweet.read", "offline.access", "users.email"),
        fetch=_fetch,
        profile=_profile,
    )


async def _fetch(fetch: Fetch, tokens: Tokens, _: str | None) -> RawProfile:
    token, email = tokens.access_token or "", None
    raw = checked(
        await fetch.json(_ME, token=token, parameters={"user.fields": "profile_image_url"})
    )
    with suppress(UserInfoError):  # an application may not have the permission
        more = await fetch.json(_ME, token=token, parameters={"user.fields": "confirmed_email"})
        if member(more, "data", "id") == member(raw, "data", "id"):
            email = member(more, "data", "confirmed_email")
    data = raw.get("data")
    return {"data": {**(data if isinstance(data, dict) else {}), "confirmed_email": email}}


def _profile(raw: RawProfile) -> Profile:
    subject, confirmed = member(raw, "data", "id"), member(raw, "data", "confirmed_email")
    return profile(
        raw,
        subject=subject,
        name=member(raw, "data", "name"),
        email=confirmed or f"{subject}@twitter.placeholder.invalid",
        verified=bool(confirmed),
        image=member(raw, "data", "profile_image_url"),
    )
