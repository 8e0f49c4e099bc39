"""GitLab, at gitlab.com or at an instance of one's own: docs.gitlab.com/api/oauth2."""

from ....settings import ProviderSettings
from ..profiles import profile
from ..provider import Profile, Provider, RawProfile, UserInfoError


def declare(settings: ProviderSettings) -> Provider:
    issuer = (settings.issuer or "https://gitlab.com").rstrip("/")
    return Provider(
        id="gitlab",
        authorization_url=f"{issuer}/oauth/authorize",
        token_url=f"{issuer}/oauth/token",
        userinfo_url=f"{issuer}/api/v4/user",
        scopes=("read_user",),
        passes_login_hint=True,
        profile=_profile,
    )


def _profile(raw: RawProfile) -> Profile:
    if raw.get("state") != "active" or raw.get("locked"):
        raise UserInfoError("the account is not active")
    return profile(
        raw,
        subject=raw.get("id"),
        name=raw.get("name") or raw.get("username"),
        email=raw.get("email"),
        verified=raw.get("email_verified"),
        image=raw.get("avatar_url"),
    )
