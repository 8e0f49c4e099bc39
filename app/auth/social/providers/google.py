"""Google: developers.google.com/identity/openid-connect/openid-connect."""

from ....settings import ProviderSettings
from ..profiles import openid_profile
from ..provider import IdTokenRules, Provider, RawProfile


def declare(settings: ProviderSettings) -> Provider:
    domain = settings.hosted_domain

    def is_of_the_domain(claims: RawProfile) -> bool:
        return domain is None or claims.get("hd") == domain or (domain == "*" and "hd" in claims)

    optional = {"hd": domain, "access_type": settings.access_type}
    return Provider(
        id="google",
        authorization_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",
        scopes=("email", "profile", "openid"),
        nonce=True,
        passes_login_hint=True,
        parameters={name: value for name, value in optional.items() if value}
        | {"include_granted_scopes": "true"},
        id_token=IdTokenRules(
            issuers=("https://accounts.google.com", "accounts.google.com"),
            jwks_url="https://www.googleapis.com/oauth2/v3/certs",
            max_age=3600,
            from_client=True,
            accepts=is_of_the_domain,
        ),
        profile=openid_profile,
    )
