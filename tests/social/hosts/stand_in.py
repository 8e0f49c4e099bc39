"""What a provider that is played is, and what it remembers."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from tests.social.hosts.id_tokens import Signer

SECRET: Final = "s:cr t/with+%&=~é"
"""The client secret everywhere: each of its characters is one that some encoding gets wrong."""


def client_id(provider: str) -> str:
    return f"{provider}-client"


@dataclass
class Person:
    """Who signs in at a provider, and what it says of them. A test sets any field."""

    subject: str = "1001"
    name: str = "Ada Lovelace"
    email: str | None = "Ada@Example.com"
    verified: bool = True
    picture: str | None = "https://pictures.test/ada.png"
    profile: dict[str, Any] = field(default_factory=dict)
    """Laid over the profile's own members."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Laid over the ID token's."""
    without: list[str] = field(default_factory=list)
    """Members and claims that are left out."""
    key: str = "own"
    """What signs the ID token: own, stranger, none, hmac."""
    id_token: bool = True
    """Whether the token endpoint gives one."""
    callback: dict[str, str | None] = field(default_factory=dict)
    """Laid over the parameters of the callback; None: left out."""
    emails: list[dict[str, Any]] | None = None
    """github: the list of addresses; made of the one address unless set."""
    photo: bool = True
    """microsoft: whether there is one."""
    faults: dict[str, str] = field(default_factory=dict)
    """How endpoints fail for this sign-in alone, by endpoint."""
    user: str | None = None
    """apple: what is posted as ``user``; made of the name unless set."""


@dataclass
class Grant:
    """What a person has granted a client: behind a code, an access token or a refresh token."""

    person: Person
    asked: dict[str, str]
    """The parameters of the authorization request."""

    @property
    def scopes(self) -> list[str]:
        return self.asked.get("scope", "").split()


@dataclass
class Fault:
    """How an endpoint fails: see ``faults``. ``times``: then it is well again; 0: for ever."""

    how: str
    times: int = 0


@dataclass
class Memory:
    """What a provider remembers until it is reset."""

    person: Person = field(default_factory=Person)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, Grant] = field(default_factory=dict)
    access_tokens: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """apple: subjects that have signed in before."""


Answer = Callable[["StandIn", Grant, Request], "Mapping[str, Any] | Response"]
"""An endpoint of a profile: JSON, or a whole response."""


@dataclass(kw_only=True)
class StandIn:
    """A provider: its addresses, what it wants, what it says."""

    id: str
    authorize: str
    token: str
    profiles: Mapping[str, Answer] = field(default_factory=dict)
    """By address; asked with a bearer token."""
    open_profiles: Mapping[str, Answer] = field(default_factory=dict)
    """By address; without one. Facebook's inspection."""
    keys: tuple[str, ...] = ()
    discovery: str | None = None
    issuer: str = ""
    scopes: tuple[str, ...]
    """Every scope it knows."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Parameters that an authorization request must have; an empty value: any."""
    headers: tuple[str, ...] = ()
    """Headers that a request for a profile must have."""
    basic: bool = False
    claims: Callable[[Person, Grant], Mapping[str, Any]] | None = None
    """Of its ID token; None: it gives none."""
    tokens: Mapping[str, Any] = field(default_factory=dict)
    """Further members of a token answer."""
    scope: Callable[[list[str]], Any] | None = " ".join
    """How it writes the scopes in a token answer; None: not at all."""
    refreshes: Callable[[Grant], bool] = lambda _: False
    """Whether a grant comes with a refresh token."""
    rotates: bool = False
    error_status: int = 400
    """github and slack: errors of the token endpoint come as 200."""

    signer: Signer = field(default_factory=Signer)
    memory: Memory = field(default_factory=Memory)

    @property
    def client_id(self) -> str:
        return client_id(self.id)

    def grant(self, code: str) -> Grant | None:
        """What is behind a code, once."""
        return self.memory.codes.pop(code, None)

    def new_code(self, grant: Grant) -> str:
        code = f"{self.id}.code.{secrets.token_urlsafe(16)}"
        self.memory.codes[code] = grant
        return code

    def new_tokens(self, grant: Grant, used: str | None = None) -> dict[str, Any]:
        """The answer of the token endpoint to a code, or to the refresh token ``used``."""
        access = f"{self.id}.access.{secrets.token_urlsafe(16)}"
        self.memory.access_tokens[access] = grant
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", **self.tokens}
        if self.scope and grant.scopes:
            answer["scope"] = self.scope(grant.scopes)
        if self.refreshes(grant) and (used is None or self.rotates):
            self.memory.refresh_tokens.pop(used or "", None)
            refresh = f"{self.id}.refresh.{secrets.token_urlsafe(16)}"
            self.memory.refresh_tokens[refresh] = grant
            answer["refresh_token"] = refresh
        if token := self.new_id_token(grant):
            answer["id_token"] = token
        return answer

    def new_id_token(self, grant: Grant) -> str | None:
        person = grant.person
        if self.claims is None or not person.id_token or "openid" not in self._openid(grant):
            return None
        claims = {"iss": self.issuer, "aud": self.client_id, "sub": person.subject}
        if nonce := grant.asked.get("nonce"):
            claims["nonce"] = nonce
        claims |= self.claims(person, grant)
        return self.signer.token(
            claims | person.claims, without=person.without, key=person.key, secret=SECRET
        )

    def _openid(self, grant: Grant) -> list[str]:
        # Apple gives an ID token without that scope
        return ["openid"] if "openid" not in self.scopes else grant.scopes
