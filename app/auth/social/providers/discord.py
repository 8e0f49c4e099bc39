"""Discord: discord.com/developers/docs/topics/oauth2."""

from ....settings import ProviderSettings
from ..profiles import profile
from ..provider import Profile, Provider, RawProfile


def declare(_: ProviderSettings) -> Provider:
    return Provider(
        id="discord",
        authorization_url="https://discord.com/api/oauth2/authorize",
        token_url="https://discord.com/api/oauth2/token",
        userinfo_url="https://discord.com/api/users/@me",
        scopes=("identify", "email"),
        scope_order="request",
        pkce=False,
        parameters={"prompt": "none"},
        profile=_profile,
    )


def _profile(raw: RawProfile) -> Profile:
    return profile(
        raw,
        subject=raw.get("id"),
        name=raw.get("global_name") or raw.get("username"),
        email=raw.get("email"),
        verified=raw.get("verified"),
        image=_picture(raw),
    )


def _picture(raw: RawProfile) -> str | None:
    subject, avatar, old = (str(raw.get(name) or "0") for name in ("id", "avatar", "discriminator"))
    if not (subject.isascii() and subject.isdigit() and len(subject) < 25):
        return None
    if avatar != "0":
        kind = "gif" if avatar.startswith("a_") else "png"
        return f"https://cdn.discordapp.com/avatars/{subject}/{avatar}.{kind}"
    if old.isascii() and old.isdigit() and old != "0" and len(old) < 6:
        number = int(old) % 5
    else:
        number = (int(subject) >> 22) % 6
    return f"https://cdn.discordapp.com/embed/avatars/{number}.png"
