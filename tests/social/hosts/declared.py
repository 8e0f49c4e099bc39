"""The twelve built-in providers, and two that are nobody's: by discovery, and OAuth 2.0 alone."""

from typing import Final

from tests.social.hosts import profiles
from tests.social.hosts.stand_in import Grant, StandIn

OPENID: Final = "https://id.openid.test"
PLAIN: Final = "https://plain.oauth.test"
_GOOGLE_SCOPES: Final = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}
_MICROSOFT: Final = "https://login.microsoftonline.com"


def always(_: Grant) -> bool:
    return True


def _google_scope(scopes: list[str]) -> str:
    return " ".join(_GOOGLE_SCOPES.get(scope, scope) for scope in scopes)


def _offline(grant: Grant) -> bool:
    return {"offline_access", "offline.access"} & set(grant.scopes) != set()


def stand_ins() -> list[StandIn]:
    """Each with a memory and keys of its own."""
    return [
        StandIn(
            id="google",
            authorize="https://accounts.google.com/o/oauth2/v2/auth",
            token="https://oauth2.googleapis.com/token",
            keys=("https://www.googleapis.com/oauth2/v3/certs",),
            issuer="https://accounts.google.com",
            scopes=("email", "profile", "openid", "https://www.googleapis.com/auth/drive.file"),
            needs={"response_type": "code", "scope": ""},
            claims=profiles.openid_claims,
            tokens={"expires_in": 3599},
            scope=_google_scope,
            refreshes=lambda grant: grant.asked.get("access_type") == "offline",
        ),
        StandIn(
            id="github",
            authorize="https://github.com/login/oauth/authorize",
            token="https://github.com/login/oauth/access_token",
            profiles={
                "https://api.github.com/user": profiles.github_user,
                "https://api.github.com/user/emails": profiles.github_emails,
            },
            scopes=("read:user", "user:email", "repo", "gist"),
            headers=("user-agent",),
            tokens={"token_type": "bearer"},
            scope=",".join,
            error_status=200,
        ),
        StandIn(
            id="microsoft",
            authorize=f"{_MICROSOFT}/common/oauth2/v2.0/authorize",
            token=f"{_MICROSOFT}/common/oauth2/v2.0/token",
            profiles={
                "https://graph.microsoft.com/v1.0/me/photos/48x48/$value": profiles.microsoft_photo
            },
            keys=(f"{_MICROSOFT}/common/discovery/v2.0/keys",),
            issuer=f"{_MICROSOFT}/{profiles.TENANT}/v2.0",
            scopes=("openid", "profile", "email", "User.Read", "offline_access", "Mail.Read"),
            needs={"response_type": "code", "scope": ""},
            claims=profiles.microsoft_claims,
            tokens={"expires_in": 3599, "ext_expires_in": 3599},
            refreshes=_offline,
            rotates=True,
        ),
        StandIn(
            id="apple",
            authorize="https://appleid.apple.com/auth/authorize",
            token="https://appleid.apple.com/auth/token",
            keys=("https://appleid.apple.com/auth/keys",),
            issuer="https://appleid.apple.com",
            scopes=("email", "name"),
            needs={"response_type": "", "response_mode": "form_post"},
            claims=profiles.apple_claims,
            tokens={"expires_in": 3600},
            scope=None,
            refreshes=always,
        ),
        StandIn(
            id="discord",
            authorize="https://discord.com/api/oauth2/authorize",
            token="https://discord.com/api/oauth2/token",
            profiles={"https://discord.com/api/users/@me": profiles.discord_user},
            scopes=("identify", "email", "guilds"),
            needs={"response_type": "code", "scope": ""},
            headers=("user-agent",),
            tokens={"expires_in": 604800},
            refreshes=always,
            rotates=True,
        ),
        StandIn(
            id="facebook",
            authorize="https://www.facebook.com/v24.0/dialog/oauth",
            token="https://graph.facebook.com/v24.0/oauth/access_token",
            profiles={
                "https://graph.facebook.com/me": profiles.facebook_user,
                "https://graph.facebook.com/v24.0/me": profiles.facebook_user,
            },
            open_profiles={
                "https://graph.facebook.com/debug_token": profiles.facebook_inspection
            },
            keys=(
                "https://limited.facebook.com/.well-known/oauth/openid/jwks/",
                "https://www.facebook.com/.well-known/oauth/openid/jwks/",
            ),
            issuer="https://www.facebook.com",
            scopes=("email", "public_profile", "user_friends", "openid"),
            claims=profiles.openid_claims,  # Limited Login
            tokens={"token_type": "bearer", "expires_in": 5183944},
            scope=None,
        ),
        StandIn(
            id="gitlab",
            authorize="https://gitlab.com/oauth/authorize",
            token="https://gitlab.com/oauth/token",
            profiles={"https://gitlab.com/api/v4/user": profiles.gitlab_user},
            scopes=("read_user", "api"),
            needs={"response_type": "code", "scope": ""},
            tokens={"expires_in": 7200, "created_at": 1760000000},
            refreshes=always,
            rotates=True,
        ),
        StandIn(
            id="linkedin",
            authorize="https://www.linkedin.com/oauth/v2/authorization",
            token="https://www.linkedin.com/oauth/v2/accessToken",
            profiles={"https://api.linkedin.com/v2/userinfo": profiles.userinfo},
            keys=("https://www.linkedin.com/oauth/openid/jwks",),
            issuer="https://www.linkedin.com/oauth",
            scopes=("profile", "email", "openid", "w_member_social"),
            needs={"response_type": "code", "scope": ""},
            claims=profiles.openid_claims,
            tokens={"expires_in": 5183999},
            scope=",".join,
        ),
        StandIn(
            id="slack",
            authorize="https://slack.com/openid/connect/authorize",
            token="https://slack.com/api/openid.connect.token",
            profiles={"https://slack.com/api/openid.connect.userInfo": profiles.slack_user},
            keys=("https://slack.com/openid/connect/keys",),
            issuer="https://slack.com",
            scopes=("openid", "profile", "email"),
            needs={"response_type": "code", "scope": ""},
            claims=profiles.openid_claims,
            tokens={"ok": True},
            scope=None,
            error_status=200,
        ),
        StandIn(
            id="spotify",
            authorize="https://accounts.spotify.com/authorize",
            token="https://accounts.spotify.com/api/token",
            profiles={"https://api.spotify.com/v1/me": profiles.spotify_user},
            scopes=("user-read-email", "user-read-private"),
            needs={"response_type": "code"},
            tokens={"expires_in": 3600},
            refreshes=always,
        ),
        StandIn(
            id="twitter",
            authorize="https://x.com/i/oauth2/authorize",
            token="https://api.x.com/2/oauth2/token",
            profiles={"https://api.x.com/2/users/me": profiles.twitter_user},
            scopes=("users.read", "tweet.read", "offline.access", "users.email", "follows.read"),
            needs={"response_type": "code", "scope": "", "state": "", "code_challenge": ""},
            basic=True,
            tokens={"token_type": "bearer", "expires_in": 7200},
            refreshes=_offline,
            rotates=True,
        ),
        StandIn(
            id="twitch",
            authorize="https://id.twitch.tv/oauth2/authorize",
            token="https://id.twitch.tv/oauth2/token",
            keys=("https://id.twitch.tv/oauth2/keys",),
            issuer="https://id.twitch.tv/oauth2",
            scopes=("user:read:email", "openid", "user:read:follows"),
            needs={"response_type": "code", "scope": ""},
            claims=profiles.twitch_claims,
            tokens={"token_type": "bearer", "expires_in": 14124},
            scope=list,
            refreshes=always,
        ),
        StandIn(
            id="openid",
            authorize=f"{OPENID}/authorize",
            token=f"{OPENID}/token",
            profiles={f"{OPENID}/userinfo": profiles.userinfo},
            keys=(f"{OPENID}/keys",),
            discovery=f"{OPENID}/.well-known/openid-configuration",
            issuer=OPENID,
            scopes=("openid", "profile", "email", "offline_access"),
            needs={"response_type": "code", "scope": ""},
            claims=profiles.openid_claims,
            tokens={"expires_in": 600},
            refreshes=_offline,
            rotates=True,
        ),
        StandIn(
            id="plain",
            authorize=f"{PLAIN}/authorize",
            token=f"{PLAIN}/token",
            profiles={f"{PLAIN}/user": profiles.plain_user},
            scopes=("read", "write"),
            needs={"response_type": "code"},
            tokens={},
        ),
    ]  # fmt: skip
