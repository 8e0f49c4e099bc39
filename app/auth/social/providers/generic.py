"""A provider that is not built in: by its discovery document, or by the addresses that are set."""

from ....outgoing.client import OutgoingError
from ....settings import ProviderSettings
from ..discovery import Discovered
from ..profiles import openid_profile, profile
from ..provider import IdTokenRules, Profile, Provider, RawProfile


def declare(settings: ProviderSettings, found: Discovered | None = None) -> Provider:
    """The addresses that are set go before the discovered ones. Raises OutgoingError when one is
    missing in both."""
    authorization_url = settings.authorization_url or (found and found.authorization_url)
    token_url = settings.token_url or (found and found.token_url)
    userinfo_url = settings.userinfo_url or (found and found.userinfo_url)
    rules = None
    if found and found.algorithms and found.jwks_url:
        rules = IdTokenRules(
            issuers=(found.issuer,),
            jwks_url=found.jwks_url,
            algorithms=found.algorithms,
            from_client=True,
        )
    if not authorization_url or not token_url or not (userinfo_url or rules):
        raise OutgoingError("its discovery document lacks an address")
    return Provider(
        id=settings.id,
        authorization_url=authorization_url,
        token_url=token_url,
        userinfo_url=userinfo_url,
        scope_order="request",
        pkce=settings.pkce,
        nonce=rules is not None,
        passes_login_hint=True,
        token_endpoint_auth=settings.token_endpoint_auth,
        id_token=rules,
        issuer=found.issuer if found else None,
        requires_iss=found is not None and found.requires_iss,
        end_session_url=found.end_session_url if found else None,
        profile=openid_profile if rules else _profile,
    )


def _profile(raw: RawProfile) -> Profile:
    return profile(
        raw,
        subject=raw.get("id"),
        name=raw.get("name"),
        email=raw.get("email"),
        verified=raw.get("email_verified"),
        image=raw.get("picture"),
    )
