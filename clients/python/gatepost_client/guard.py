"""What the parts for frameworks share: whose a request is, and whether it may be theirs."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .credentials import Source, credentials, headers_of
from .errors import GatepostError
from .http import COOKIE_PREFIX
from .models import Session
from .origin import check_origin

_log: Final = logging.getLogger("gatepost_client")


class SessionSource(Protocol):
    """GatepostClient, DatabaseClient or JwtClient."""

    async def session(self, request: Source) -> Session | None: ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Guard:
    """Finds the session of a request, and refuses one that another site may have sent."""

    source: SessionSource
    trusted_origins: Collection[str] = ()
    """Origins besides the application's own whose pages may send requests with cookies."""

    def __post_init__(self) -> None:
        if isinstance(self.trusted_origins, str):
            raise TypeError("trusted_origins is a list of origins, not a text")

    async def session(self, method: str, request: Source) -> Session | None:
        """Raises OriginError, UnavailableError, UnexpectedResponseError."""
        headers = headers_of(request)
        check_cookie_origin(method, headers, self.source, self.trusted_origins)
        try:
            return await self.source.session(headers)
        except GatepostError as error:
            log_failure(error)
            raise


def log_failure(error: GatepostError) -> None:
    """Say why nobody is known, which becomes a 503."""
    _log.warning("it cannot be said who this is: %s", error)


def check_cookie_origin(
    method: str, headers: Mapping[str, str], source: object, trusted_origins: Collection[str]
) -> None:
    """A bearer token, which no page of another site can send, needs no Origin."""
    if isinstance(trusted_origins, str):  # in which every part of it would be found
        raise TypeError("trusted_origins is a list of origins, not a text")
    prefix: str = getattr(source, "cookie_prefix", COOKIE_PREFIX)
    if credentials(headers, prefix).cookies:
        check_origin(method, headers, trusted_origins)
