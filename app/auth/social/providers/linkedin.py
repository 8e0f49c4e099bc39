"""LinkedIn: learn.microsoft.com/en-us/linkedin, Sign In with LinkedIn using OpenID Connect."""

from ....settings import ProviderSettings
from ..profiles import openid_profile
from ..provider import Provider


def declare(_: ProviderSettings) -> Provider:
    return Provider(
        id="linkedin",
        authorization_url="https://www.linkedin.com/oauth/v2/authorization",
        token_url="https://www.linkedin.com/oauth/v2/accessToken",
        userinfo_url="https://api.linkedin.com/v2/userinfo",
        scopes=("profile", "email", "openid"),
        pkce=False,
        passes_login_hint=True,
        profile=openid_profile,
    )
