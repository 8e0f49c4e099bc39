"""What the ``fetch`` of a declaration asks its provider with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...outgoing.client import MAX_PICTURE, Caller, OutgoingError
from .authorization import with_parameters
from .provider import RawProfile, UserInfoError


@dataclass(frozen=True, slots=True)
class Fetch:
    """Asks one provider for one person."""

    caller: Caller
    claims: RawProfile | None = None
    """Those of the ID token, verified."""

    async def json(
        self, url: str, *, token: str | None = None, parameters: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON at an address, asked with a bearer token. Raises UserInfoError."""
        if token == "":
            raise UserInfoError("no access token")
        headers = {"authorization": f"Bearer {token}"} if token is not None else None
        try:
            answer = await self.caller.ask(
                with_parameters(url, parameters) if parameters else url, headers=headers
            )
            if not answer.is_success:
                raise UserInfoError(f"its profile: HTTP {answer.status}")
            return answer.json()
        except OutgoingError as error:
            raise UserInfoError(str(error)) from None

    async def picture(self, url: str, *, token: str) -> bytes | None:
        """A picture of at most 512 KiB; None without one, for it is worth no failure."""
        headers = {"authorization": f"Bearer {token}", "accept": "image/*"}
        try:
            answer = await self.caller.ask(url, headers=headers, limit=MAX_PICTURE)
        except OutgoingError:
            return None
        return answer.body if answer.is_success and answer.body else None
