"""Whether a provider would sign people in, as far as it can be asked without anybody signing in."""

import asyncio
from typing import Final, Literal, NamedTuple

from ...outgoing.client import Answer, Caller, Outgoing, OutgoingError, PrivateHostError
from ...settings import AuthSettings, ProviderSettings
from ..context import PREFIX
from . import token_endpoint
from .discovery import read
from .provider import Provider
from .providers import declaration_of, generic

_REFUSALS: Final = ("incorrect_client_credentials", "invalid_client", "unauthorized_client")
_CORRECT: Final = "correct client_id, client_secret and token_endpoint_auth in GATEPOST_PROVIDERS"
_REACH: Final = "see whether this machine reaches it (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE)"

_ALLOW: Final = "set allow_private_addresses in GATEPOST_PROVIDERS, if it belongs there"


class Trial(NamedTuple):
    """What came of it, and what to do next."""

    level: Literal["ok", "warn", "fail"]
    text: str
    step: str = ""


async def try_providers(settings: AuthSettings) -> list[Trial]:
    """One for each configured provider. Raises SettingsError for certificates."""
    outgoing = Outgoing()
    try:
        trials = (_try(each, settings, outgoing) for each in settings.social.providers)
        return await asyncio.gather(*trials)
    finally:
        await outgoing.close()


async def _try(provider: ProviderSettings, settings: AuthSettings, outgoing: Outgoing) -> Trial:
    callback = f"{settings.base_url}{PREFIX}/callback/{provider.id}"
    caller = outgoing.caller(public_only=provider.public_only)
    try:
        declared = await _declared(provider, caller)
        if isinstance(declared, Trial):
            return declared
        answer = await _exchange(provider, declared, caller, callback)
    except PrivateHostError as error:
        return Trial("fail", f"{provider.id}: {error}", _ALLOW)
    except OutgoingError as error:
        return Trial("warn", f"{provider.id}: {error}", _REACH)
    error = token_endpoint.error_code(answer)
    if answer.status in (401, 404) or error in _REFUSALS:
        said = f"HTTP {answer.status}{f' {error}' if error else ''}"
        return Trial("fail", f"{provider.id} does not know this client: {said}", _CORRECT)
    if answer.status == 403 or answer.status >= 500:  # perhaps somebody on the way
        return Trial("warn", f"{provider.id}: HTTP {answer.status}", _REACH)
    named = f", as {declared.issuer}," if declared.issuer else ""
    return Trial("ok", f"{provider.id}{named} knows this client, which comes back to {callback}")


async def _declared(settings: ProviderSettings, caller: Caller) -> Provider | Trial:
    """Raises OutgoingError when nothing is answered."""
    if (url := settings.discovery_url) is None:
        return declaration_of(settings)
    answer = await caller.ask(url)
    text = f"its discovery document: HTTP {answer.status}"
    if answer.status >= 500:
        raise OutgoingError(text)
    if answer.is_success:
        try:
            found = read(answer.json(), url, allow_http=settings.allow_private_addresses)
            return generic.declare(settings, found)
        except OutgoingError as error:
            text = str(error)
    return Trial("fail", f"{settings.id}: {text}", "correct discovery_url in GATEPOST_PROVIDERS")


async def _exchange(
    settings: ProviderSettings, provider: Provider, caller: Caller, callback: str
) -> Answer:
    """The answer to a code that it never gave: it looks at the client first."""
    form = {
        "grant_type": "authorization_code",
        "code": "gatepost-check",
        "redirect_uri": callback,
        "code_verifier": "gatepost-check".ljust(43, "-"),
    }
    form, headers = token_endpoint.authenticated(settings, provider.token_endpoint_auth, form)
    return await caller.ask(provider.token_url, form=form, headers=headers)
