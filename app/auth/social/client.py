"""What is asked of a provider: tokens for a code, who somebody is, and where they sign out."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

from ...logs import RATE_LIMIT
from ...outgoing.client import Caller, Outgoing, OutgoingError
from ...settings import ProviderSettings, SocialSettings
from . import token_endpoint
from .authorization import with_parameters
from .discovery import discover
from .fetch import Fetch
from .id_token import BadIdTokenError, IdTokens, is_jwt, unverified
from .profiles import checked
from .provider import (
    InvalidCodeError,
    InvalidIdTokenError,
    Profile,
    Provider,
    ProviderError,
    ProviderUnavailableError,
    RawProfile,
    RefreshError,
    Tokens,
    UserInfoError,
)
from .providers import declaration_of, generic
from .shared import Shared

E = TypeVar("E", bound=ProviderError)
_log = logging.getLogger("gatepost.auth")
_log.addFilter(RATE_LIMIT)
_FAILURES: Final = (OutgoingError, BadIdTokenError, UserInfoError)


class OAuthClient:
    """One configured provider. What goes wrong there is a ProviderError, and logged."""

    def __init__(self, settings: ProviderSettings, outgoing: Outgoing) -> None:
        self.id = settings.id
        self.settings = settings
        self._caller = outgoing.caller(public_only=settings.public_only)
        # what users ask for once they are signed in takes no place from those who sign in
        self._later_caller = outgoing.caller(public_only=settings.public_only)
        self._declared = None if settings.discovery_url else declaration_of(settings)
        self._discovered = Shared(self._discover)
        self._id_tokens: IdTokens | None = None

    @property
    def supports_id_tokens(self) -> bool:
        """Whether a client may sign in with an ID token of its own."""
        if self.settings.disable_id_token_sign_in:
            return False
        rules = self._declared.id_token if self._declared else None
        return self.settings.discovery_url is not None or (rules is not None and rules.from_client)

    async def provider(self) -> Provider:
        """The declaration; of a generic provider when it has been discovered. Raises
        ProviderUnavailableError."""
        found = self._declared or self._discovered.value
        if found is not None:
            return found
        try:
            return await self._discovered.fetch()
        except OutgoingError as error:
            raise self._failed(ProviderUnavailableError, error) from None

    async def exchange(self, code: str, *, code_verifier: str, redirect_uri: str) -> Tokens:
        """The tokens for a code, which may be none. Raises InvalidCodeError."""
        provider = await self.provider()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
        }
        if provider.pkce:
            form["code_verifier"] = code_verifier
        try:
            return await self._tokens(self._caller, provider, form)
        except OutgoingError as error:
            raise self._failed(InvalidCodeError, error) from None

    async def refresh(self, refresh_token: str, subject: str) -> Tokens:
        """New tokens, an access token among them. Raises RefreshError, also for those of another
        ``subject``: a client may have brought the refresh token, and from anywhere."""
        provider = await self.provider()
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            **provider.refresh_parameters,
        }
        try:
            tokens = await self._tokens(self._later_caller, provider, form)
            if tokens.access_token is None:
                raise OutgoingError("no access token")
            claims = None
            if provider.nonce and tokens.id_token and is_jwt(tokens.id_token):
                claims = unverified(tokens.id_token)
            if claims is not None and provider.profile(claims).subject != subject:
                raise OutgoingError("the tokens are somebody else's")
        except _FAILURES as error:
            raise self._failed(RefreshError, error) from None
        return tokens

    async def profile(
        self, tokens: Tokens, *, nonce: str | None, posted_user: str | None = None
    ) -> Profile:
        """Who has signed in. The ID token has to hold ``nonce``, unless that is None: a sign-in
        that began at a Better Auth server. Raises UserInfoError."""
        provider = await self.provider()
        try:
            claims = None
            if provider.nonce:
                if tokens.id_token is None:
                    raise UserInfoError("no ID token")
                claims = await self._verifier(provider).verify(tokens.id_token, nonce=nonce)
            return await self._profile(self._caller, provider, claims, tokens, posted_user)
        except _FAILURES as error:
            raise self._failed(UserInfoError, error) from None

    async def profile_of_id_token(
        self,
        token: str,
        *,
        nonce: str | None,
        access_token: str | None,
        user: Mapping[str, Any] | None,
    ) -> Profile:
        """Whom an ID token names that a client has sent. ``nonce`` None: it is not looked at;
        ``user``: what apple gives a client beside the token.

        Raises InvalidIdTokenError for the token and UserInfoError for the profile.
        """
        provider = await self.provider()
        if provider.id_token is None or not self.supports_id_tokens:
            raise self._failed(InvalidIdTokenError, UserInfoError("ID tokens are not taken"))
        tokens, claims = Tokens(access_token=access_token, id_token=token), None
        try:
            if provider.id_token.or_access_token and not is_jwt(token):
                tokens = Tokens(access_token=token)
                return await self._profile(self._caller, provider, None, tokens, None)
            claims = await self._verifier(provider).verify(token, nonce=nonce, from_client=True)
        except _FAILURES as error:
            raise self._failed(InvalidIdTokenError, error) from None
        try:
            if provider.issuer is not None and not claims.get("email"):
                raise UserInfoError("the ID token has no address")
            posted = json.dumps(user) if user else None
            return await self._profile(self._caller, provider, claims, tokens, posted)
        except _FAILURES as error:
            raise self._failed(UserInfoError, error) from None

    async def account_profile(self, tokens: Tokens) -> Profile:
        """Who somebody is by stored tokens. When the ID token is good no longer, userinfo is
        asked; a provider without it is believed what it said. Raises UserInfoError."""
        provider, caller = await self.provider(), self._later_caller
        try:
            if not provider.nonce or tokens.id_token is None:
                return await self._profile(caller, provider, None, tokens, None)
            try:
                claims = await self._verifier(provider).verify(tokens.id_token)
            except (BadIdTokenError, OutgoingError):
                claims = unverified(tokens.id_token)
                if provider.userinfo_url is not None:
                    raw = await self._userinfo(caller, provider, tokens, claims.get("sub"))
                    return provider.profile(raw)
            return await self._profile(caller, provider, claims, tokens, None)
        except _FAILURES as error:
            raise self._failed(UserInfoError, error) from None

    async def end_session_url(
        self, *, id_token: str | None, redirect_to: str | None, state: str | None
    ) -> str | None:
        """Where a browser signs out at the provider (OpenID Connect RP-Initiated Logout); None
        where it does not, or the provider cannot be discovered now."""
        if self.settings.disable_provider_logout:
            return None
        try:
            url = (await self.provider()).end_session_url
        except ProviderUnavailableError:
            return None
        if url is None:
            return None
        values = {
            "id_token_hint": id_token,
            "post_logout_redirect_uri": redirect_to,
            "client_id": self.settings.client_ids[0] if redirect_to else None,
            "state": state if redirect_to else None,
        }
        return with_parameters(url, {name: value for name, value in values.items() if value})

    async def _discover(self) -> Provider:
        settings = self.settings
        if settings.discovery_url is None:
            raise OutgoingError("it has no discovery document")
        found = await discover(
            self._caller, settings.discovery_url, allow_http=settings.allow_private_addresses
        )
        return generic.declare(settings, found)

    async def _tokens(self, caller: Caller, provider: Provider, form: Mapping[str, str]) -> Tokens:
        form, headers = token_endpoint.authenticated(
            self.settings, provider.token_endpoint_auth, form
        )
        answer = await caller.ask(provider.token_url, form=form, headers=headers)
        return token_endpoint.tokens_of(answer)

    def _verifier(self, provider: Provider) -> IdTokens:
        if self._id_tokens is None:
            if provider.id_token is None:
                raise UserInfoError("it has no ID tokens")
            self._id_tokens = IdTokens(provider.id_token, self.settings.client_ids, self._caller)
        return self._id_tokens

    async def _profile(
        self,
        caller: Caller,
        provider: Provider,
        claims: RawProfile | None,
        tokens: Tokens,
        posted_user: str | None,
    ) -> Profile:
        if provider.fetch is not None:
            raw = await provider.fetch(Fetch(caller, claims), tokens, posted_user)
        elif claims is not None and (provider.userinfo_url is None or claims.get("email")):
            raw = claims
        else:
            subject = claims.get("sub") if claims else None
            raw = await self._userinfo(caller, provider, tokens, subject)
        return provider.profile(checked(raw))

    async def _userinfo(
        self, caller: Caller, provider: Provider, tokens: Tokens, subject: Any | None
    ) -> RawProfile:
        """``subject`` is the ID token's, which has to be the same."""
        if provider.userinfo_url is None:
            raise UserInfoError("it has no ID token, and no userinfo")
        fetch = Fetch(caller)
        raw = checked(await fetch.json(provider.userinfo_url, token=tokens.access_token or ""))
        if subject is not None and raw.get("sub") != subject:
            raise UserInfoError("userinfo is about somebody else")
        return raw

    def _failed(self, kind: type[E], error: Exception) -> E:
        _log.warning("provider %s: %s: %s", self.id, kind.code, error)
        return kind(str(error))


class OAuthClients:
    """The configured providers."""

    def __init__(self, settings: SocialSettings) -> None:
        """Raises SettingsError for certificates that cannot be read, or a wrong proxy."""
        self._outgoing = Outgoing()
        self._clients = {
            provider.id: OAuthClient(provider, self._outgoing) for provider in settings.providers
        }

    def get(self, name: str) -> OAuthClient | None:
        return self._clients.get(name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Discover the generic providers in the background, while the block lasts."""
        task = asyncio.create_task(self._discover())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _discover(self) -> None:
        await asyncio.gather(*map(_discover, self._clients.values()))

    async def close(self) -> None:
        await self._outgoing.close()


async def _discover(client: OAuthClient) -> None:
    with suppress(ProviderUnavailableError):  # it was logged; the first request tries again
        await client.provider()
