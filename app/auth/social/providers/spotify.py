"""Spotify: developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow.

Its addresses are not verified.
"""

from ....settings import ProviderSettings
from ..profiles import member, profile
from ..provider import Profile, Provider, RawProfile


def declare(_: ProviderSettings) -> Provider:
    return Provider(
        id="spotify",
        authorization_url="https://accounts.spotify.com/authorize",
        token_url="https://accounts.spotify.com/api/token",
        userinfo_url="https://api.spotify.com/v1/me",
        scopes=("user-read-email",),
        profile=_profile,
    )


def _profile(raw: RawProfile) -> Profile:
    return profile(
        raw,
        subject=raw.get("id"),
        name=raw.get("display_name"),
        email=raw.get("email"),
        image=member(raw, "images", 0, "url"),
    )
