"""One request to the auth door, and what every flow needs at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from app.auth.cookies import Cookies
from app.auth.lookups import Lookups
from app.auth.mail import Mail
from app.auth.origins import Origins
from app.auth.passwords import Passwords
from app.auth.tokens import MailTokens
from app.database import Database
from app.settings import AuthSettings

PREFIX: Final = "/api/auth"
CREDENTIAL: Final = "credential"
"""The provider of accounts that have a password."""


@dataclass(frozen=True, slots=True)
class Auth:
    """What lives as long as the door."""

    settings: AuthSettings
    database: Database
    lookups: Lookups
    cookies: Cookies
    origins: Origins
    passwords: Passwords
    tokens: MailTokens
    mail: Mail

    @property
    def base(self) -> str:
        """The door's public address."""
        return self.settings.base_url + PREFIX


@dataclass(frozen=True, slots=True)
class Current:
    """The session of a request and its user, as rows."""

    session: Mapping[str, Any]
    user: Mapping[str, Any]
    needs_refresh: bool | None = None
    """None when it was not looked at."""


@dataclass(slots=True)
class Call:
    """One request: what came, and what goes out beside the answer."""

    auth: Auth
    method: str
    headers: Mapping[str, str]
    jar: dict[str, str]
    address: str | None
    body: Any
    query: dict[str, Any]
    parameters: dict[str, str]
    current: Current | None = None
    cookies_out: list[str] = field(default_factory=list)
    headers_out: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> AuthSettings:
        return self.auth.settings

    @property
    def database(self) -> Database:
        return self.auth.database

    @property
    def user(self) -> Mapping[str, Any]:
        """The user of an endpoint that needs a session."""
        return self.signed_in.user

    @property
    def signed_in(self) -> Current:
        if self.current is None:
            raise LookupError("this endpoint declares no session")
        return self.current

    def given(self, name: str, default: Any = None) -> Any:
        """A field of the body."""
        return self.body.get(name, default) if isinstance(self.body, dict) else default

    @property
    def session_token(self) -> str | None:
        """The token of the session cookie, when its signature is good."""
        return self.auth.cookies.signed(self.jar, self.auth.cookies.session_token)

    @property
    def dont_remember(self) -> bool:
        return self.auth.cookies.signed(self.jar, self.auth.cookies.dont_remember) is not None

    def set_session_cookie(self, token: str, *, remember: bool | None = None) -> None:
        """``remember`` None: as the request's cookies have it."""
        if remember is None:
            remember = not self.dont_remember
        self.cookies_out += self.auth.cookies.session(
            token, remember=remember, remembered=not self.dont_remember
        )

    def clear_cookies(self) -> None:
        self.cookies_out += self.auth.cookies.all_cleared(self.jar)


def now() -> datetime:
    """Now in UTC, in the milliseconds that the columns and the Node side keep."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def redirect(location: str) -> Response:
    return Response(b"", 302, {"location": location, "content-type": "application/json"})
