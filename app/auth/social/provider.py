"""What a provider is: one declaration of its addresses, scopes and the way its profile reads.

docs/PROVIDERS.md says how to add one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .fetch import Fetch

RawProfile = Mapping[str, Any]
"""The claims of an ID token, or the JSON of a profile, as the provider has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Who somebody is at a provider."""

    subject: str
    """The provider's own name for them, never empty: ``account_id``."""
    name: str = ""
    email: str | None = None
    """In small letters, and with the shape of an address; None: the provider names none."""
    email_verified: bool = False
    image: str | None = None
    raw: RawProfile = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a token endpoint gives (RFC 6749 §5.1). Times are UTC."""

    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    access_token_expires_at: datetime | None = None
    refresh_token_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


class ProviderError(Exception):
    """A provider did not do what was asked. ``code`` is the one that a callback's address gets."""

    code = "internal_server_error"


class ProviderUnavailableError(ProviderError):
    """Its discovery document cannot be had: until then it is as if it were not configured."""

    code = "oauth_provider_not_found"


class InvalidCodeError(ProviderError):
    """It does not take the code, or gives no tokens for it."""

    code = "invalid_code"


class UserInfoError(ProviderError):
    """No profile, none that can be believed, or one without a subject."""

    code = "unable_to_get_user_info"


class InvalidIdTokenError(ProviderError):
    """An ID token that a client has sent is not good."""

    code = "invalid_token"


class RefreshError(ProviderError):
    """It gives no new tokens for a refresh token."""

    code = "failed_to_refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenRules:
    """How a provider's ID tokens are verified (OpenID Connect Core §3.1.3.7)."""

    issuers: tuple[str, ...]
    """Of which ``iss`` is one; none where ``accepts`` looks at it."""
    jwks_url: str
    algorithms: tuple[str, ...] = ("RS256",)
    max_age: int | None = None
    """Seconds since ``iat`` at most, of a token that a client sends."""
    from_client: bool = False
    """Whether a client may sign in with an ID token of its own."""
    hashed_nonce: bool = False
    """apple: the nonce may be its SHA-256 in hex."""
    audiences: tuple[str, ...] = ()
    """Besides the client's own ids."""
    accepts: Callable[[RawProfile], bool] | None = None
    """What else the claims have to be, such as microsoft's issuer, which its tenant decides."""
    or_access_token: bool = False
    """facebook: a client may send an access token in its place; the declaration's ``fetch`` is then
    what verifies it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One declaration. Where a function is named, ``client`` calls it and nothing else."""

    id: str
    authorization_url: str
    token_url: str
    userinfo_url: str | None = None
    """None: the profile is the ID token's claims."""
    scopes: tuple[str, ...] = ()
    scope_order: Literal["defaults", "request"] = "defaults"
    """What comes after the provider's own scopes: the configured ones and then the request's, or
    the ``request``'s first."""
    pkce: bool = True
    nonce: bool = False
    """Whether the token endpoint gives an ID token, which has to hold a nonce of ours."""
    passes_login_hint: bool = False
    token_endpoint_auth: Literal["basic", "post"] = "post"  # noqa: S105
    response_mode: Literal["query", "form_post"] | None = None
    response_type: str = "code"
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the authorization address; ``prompt`` gives way to a configured one."""
    refresh_parameters: Mapping[str, str] = field(default_factory=dict)
    id_token: IdTokenRules | None = None
    issuer: str | None = None
    """Of a discovered one: what ``iss`` in a callback has to be."""
    requires_iss: bool = False
    """It promises ``iss`` in its callbacks (RFC 9207)."""
    end_session_url: str | None = None
    profile: Callable[[RawProfile], Profile]
    """Reads a raw profile. Raises UserInfoError without a subject."""
    fetch: "Callable[[Fetch, Tokens, str | None], Awaitable[RawProfile]] | None" = None
    """For a profile that takes more than one request, or the JSON that a callback posts as
    ``user``: the raw profile, from what asks the provider, the tokens, and that text."""
