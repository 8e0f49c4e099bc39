"""Apple: developer.apple.com/documentation/signinwithapplerestapi.

The secret is a JWT that is made with Apple's key, and good for half a year at most.
"""

import json

from ....settings import ProviderSettings
from ..fetch import Fetch
from ..profiles import member, openid_profile
from ..provider import IdTokenRules, Provider, RawProfile, Tokens


def declare(settings: ProviderSettings) -> Provider:
    bundle = settings.app_bundle_identifier
    return Provider(
        id="apple",
        authorization_url="https://appleid.apple.com/auth/authorize",
        token_url="https://appleid.apple.com/auth/token",
        scopes=("email", "name"),
        nonce=True,
        response_mode="form_post",
        response_type="code id_token",
        id_token=IdTokenRules(
            issuers=("https://appleid.apple.com",),
            jwks_url="https://appleid.apple.com/auth/keys",
            max_age=3600,
            from_client=True,
            hashed_nonce=True,
            audiences=(bundle,) if bundle else (),
        ),
        fetch=_fetch,
        profile=openid_profile,
    )


async def _fetch(fetch: Fetch, _: Tokens, posted_user: str | None) -> RawProfile:
    """The name is posted, at the first sign-in only. The address beside it proves nothing."""
    try:
        name = json.loads(posted_user or "null")
    except (ValueError, RecursionError):
        name = None
    parts = (member(name, "name", part) for part in ("firstName", "lastName"))
    full = " ".join(part for part in parts if isinstance(part, str)).strip()
    return {**(fetch.claims or {}), "name": full}
