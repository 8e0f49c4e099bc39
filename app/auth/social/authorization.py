"""The address that a browser is sent to, at the provider (RFC 6749 §4.1.1, RFC 7636)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from ada_url import URLSearchParams

from ...settings import ProviderSettings
from .provider import Provider


def scopes_asked(
    provider: Provider, settings: ProviderSettings, requested: Sequence[str]
) -> list[str]:
    own = [] if settings.disable_default_scopes else provider.scopes
    if provider.scope_order == "request":
        asked = [*own, *requested, *settings.scopes]
    else:
        asked = [*own, *settings.scopes, *requested]
    if provider.issuer and provider.id_token and "openid" not in asked:
        asked.insert(0, "openid")
    return asked


def authorization_url(
    provider: Provider,
    settings: ProviderSettings,
    *,
    state: str,
    code_verifier: str,
    nonce: str | None,
    redirect_uri: str,
    scopes: Sequence[str],
    login_hint: str | None,
    request_parameters: Mapping[str, str],
) -> str:
    """``request_parameters`` go before what is not of the protocol."""
    values: dict[str, str | None] = {
        "response_type": provider.response_type,
        "client_id": settings.client_ids[0],
        "state": state,
        "scope": " ".join(scopes_asked(provider, settings, scopes)) or None,
        "redirect_uri": redirect_uri,
        "login_hint": (login_hint or None) if provider.passes_login_hint else None,
        "nonce": nonce if provider.nonce else None,
        "prompt": settings.prompt or provider.parameters.get("prompt"),
        "response_mode": settings.response_mode or provider.response_mode,
    }
    if provider.pkce:
        digest = sha256(code_verifier.encode()).digest()
        values["code_challenge_method"] = "S256"
        values["code_challenge"] = urlsafe_b64encode(digest).decode().rstrip("=")
    for name, value in provider.parameters.items():
        values.setdefault(name, value)
    found = {name: value for name, value in values.items() if value is not None}
    return with_parameters(provider.authorization_url, {**found, **request_parameters})


def with_parameters(url: str, parameters: Mapping[str, str]) -> str:
    """An address with parameters, which take the place of those of the same name."""
    parts = urlsplit(url)
    query = URLSearchParams(parts.query)
    for name in parameters:
        query.delete(name)
    for name, value in parameters.items():
        query.append(name, value)
    return parts._replace(query=str(query), fragment="").geturl()
