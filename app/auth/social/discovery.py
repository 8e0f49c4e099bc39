"""What a generic provider says of itself (OpenID Connect Discovery 1.0, RFC 8414)."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ...outgoing.client import Caller, OutgoingError
from .id_token import ALGORITHMS

OPENID: Final = "/.well-known/openid-configuration"
OAUTH: Final = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """The parts of a discovery document that are used."""

    issuer: str
    authorization_url: str | None
    token_url: str | None
    userinfo_url: str | None
    jwks_url: str | None
    end_session_url: str | None
    algorithms: tuple[str, ...]
    """Of its ID tokens; none: it is no OpenID provider."""
    requires_iss: bool


async def discover(caller: Caller, url: str, *, allow_http: bool) -> Discovered:
    """Read a discovery document. Raises OutgoingError."""
    answer = await caller.ask(url)
    if not answer.is_success:
        raise OutgoingError(f"its discovery document: HTTP {answer.status}")
    return read(answer.json(), url, allow_http=allow_http)


def read(document: Any, url: str, *, allow_http: bool) -> Discovered:
    """What a document says that was fetched from ``url``. Raises OutgoingError."""
    if not isinstance(document, dict):
        raise OutgoingError("its discovery document is not an object")
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or not is_address(issuer, allow_http=True):
        raise OutgoingError("its discovery document is another issuer's")
    if url not in _documents_of(issuer):
        raise OutgoingError(f"its discovery document is another issuer's, {issuer[:200]}")

    def address(name: str) -> str | None:
        value = document.get(name)
        if value is None:
            return None
        if not is_address(value, allow_http=allow_http):
            raise OutgoingError(f"its discovery document: {name} is not an https address")
        return value

    named = document.get("id_token_signing_alg_values_supported")
    algorithms = tuple(a for a in ALGORITHMS if a in named) if isinstance(named, list) else ()
    if named and not algorithms:
        raise OutgoingError("its ID tokens are signed with no algorithm of a public key")
    jwks_url = address("jwks_uri")
    if algorithms and jwks_url is None:
        raise OutgoingError("its discovery document names no keys")
    return Discovered(
        issuer=issuer,
        authorization_url=address("authorization_endpoint"),
        token_url=address("token_endpoint"),
        userinfo_url=address("userinfo_endpoint"),
        jwks_url=jwks_url,
        end_session_url=address("end_session_endpoint"),
        algorithms=algorithms,
        requires_iss=document.get("authorization_response_iss_parameter_supported") is True,
    )


def is_address(value: Any, *, allow_http: bool) -> bool:
    """Whether a value is an address that a provider may be asked at."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if allow_http else ("https",)
    return bool(parts.scheme in schemes and parts.hostname and "@" not in parts.netloc)


def _documents_of(issuer: str) -> tuple[str, ...]:
    """Where an issuer's documents are: at the end of its address, or before its path."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    return (issuer.rstrip("/") + OPENID, f"{parts.scheme}://{parts.netloc}{OAUTH}{path}")
