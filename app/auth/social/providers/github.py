"""GitHub: docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps."""

from contextlib import suppress

from ....settings import ProviderSettings
from ..fetch import Fetch
from ..profiles import checked, member, profile
from ..provider import Profile, Provider, RawProfile, Tokens, UserInfoError


def declare(_: ProviderSettings) -> Provider:
    return Provider(
        id="github",
        authorization_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",
        scopes=("read:user", "user:email"),
        passes_login_hint=True,
        fetch=_fetch,
        profile=_profile,
    )


async def _fetch(fetch: Fetch, tokens: Tokens, _: str | None) -> RawProfile:
    token = tokens.access_token or ""
    user = checked(await fetch.json("https://api.github.com/user", token=token))
    emails = None
    with suppress(UserInfoError):  # an app may not have the permission
        emails = await fetch.json("https://api.github.com/user/emails", token=token)
    emails = emails if isinstance(emails, list) else []
    primary = [entry for entry in emails if member(entry, "primary") is True]
    email = user.get("email") or member(primary or emails, 0, "email")
    verified = any(
        member(entry, "email") == email and member(entry, "verified") is True for entry in emails
    )
    return {**user, "email": email, "email_verified": verified}


def _profile(raw: RawProfile) -> Profile:
    return profile(
        raw,
        subject=raw.get("id"),
        name=raw.get("name") or raw.get("login"),
        email=raw.get("email"),
        verified=raw.get("email_verified"),
        image=raw.get("avatar_url"),
    )
