"""Slack: docs.slack.dev/authentication/sign-in-with-slack."""

from ....settings import ProviderSettings
from ..profiles import profile
from ..provider import Profile, Provider, RawProfile


def declare(_: ProviderSettings) -> Provider:
    return Provider(
        id="slack",
        authorization_url="https://slack.com/openid/connect/authorize",
        token_url="https://slack.com/api/openid.connect.token",
        userinfo_url="https://slack.com/api/openid.connect.userInfo",
        scopes=("openid", "profile", "email"),
        scope_order="request",
        pkce=False,
        profile=_profile,
    )


def _profile(raw: RawProfile) -> Profile:
    return profile(
        raw,
        subject=raw.get("https://slack.com/user_id"),
        name=raw.get("name"),
        email=raw.get("email"),
        verified=raw.get("email_verified"),
        image=raw.get("picture") or raw.get("https://slack.com/user_image_512"),
    )
