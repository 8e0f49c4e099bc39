"""A request to the auth API, and the services its handlers use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from ..client_address import ClientAddresses
from ..database import Actor, Database
from ..schema import Schema, Session, User
from ..security_events import agent_of, security_event
from ..settings import AuthSettings
from ..statements.sessions import SessionStatements
from ..statements.users import UserStatements
from .account_limit import AccountLimit
from .cookies import Cookies
from .cors import Cors
from .fields import Fields
from .mail import Mail
from .origins import Origins
from .passwords import Passwords
from .pseudonyms import Pseudonyms
from .rate_limit import RateLimiter
from .session_limits import Postponed
from .session_loader import SessionLoader
from .tokens import MailTokens

if TYPE_CHECKING:
    from ..database.replica import Replica
    from .plugins import Plugin
    from .sightings import Sightings
    from .social.services import Social

PREFIX: Final = "/api/auth"
CREDENTIAL: Final = "credential"
"""The provider of accounts that have a password."""


@dataclass(frozen=True, slots=True)
class Services:
    """What lives as long as the application."""

    settings: AuthSettings
    database: Database
    session_loader: SessionLoader
    client_addresses: ClientAddresses
    knows_service_key: Callable[[str], bool]
    rate_limiter: RateLimiter
    account_limit: AccountLimit
    pseudonyms: Pseudonyms
    cookies: Cookies
    origins: Origins
    cors: Cors
    passwords: Passwords
    tokens: MailTokens
    mail: Mail
    user_fields: Fields
    session_fields: Fields
    user_statements: UserStatements
    session_statements: SessionStatements
    schema: Schema
    replica: "Replica | None" = None
    """For lists that may be late; sessions are never read from it."""
    plugins: "tuple[Plugin, ...]" = ()
    social: "Social | None" = None
    """Sign-in with providers; None when none is configured."""
    postponed: Postponed = field(default_factory=Postponed)
    sightings: "Sightings | None" = None
    """When sessions are last seen; None when that is not recorded."""

    @property
    def base_url(self) -> str:
        """The public address of the auth API."""
        return self.settings.base_url + PREFIX

    async def close(self) -> None:
        if self.social is not None:
            await self.social.close()
        await self.mail.close()
        self.passwords.close()


@dataclass(frozen=True, slots=True)
class CurrentSession:
    """The session of a request, and its user."""

    session: Session
    user: User
    needs_refresh: bool | None = None
    """None when it was not looked at."""


@dataclass
class RequestContext:
    """One request: what came, and what goes out besides the body."""

    services: Services
    request: Request
    method: str
    headers: Mapping[str, str]
    cookies: dict[str, str]
    """A plugin's ``before`` may put in what came in another way."""
    request_id: str
    body: Any
    """The decoded body, or UNDEFINED without one."""
    query: dict[str, Any]
    current: CurrentSession | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    response_cookies: list[str] = field(default_factory=list)
    """Lines of Set-Cookie."""
    event: str | None = None
    """The security event of this request, where it is another than the endpoint's."""
    event_user: UUID | None = None
    """Whom the event is about, where that is nobody who is signed in."""
    event_target: UUID | None = None
    """Whom an administrator does it to."""
    refusal: str | None = None
    """Why a handler refused that answers with a redirect."""

    @property
    def settings(self) -> AuthSettings:
        return self.services.settings

    @cached_property
    def client_ip(self) -> str | None:
        return self.services.client_addresses.of(self.request.scope)

    @property
    def path_params(self) -> dict[str, str]:
        return {name: unquote(value) for name, value in self.request.path_params.items()}

    @property
    def actor(self) -> Actor:
        """Who asks, for the events of what the request writes."""
        current = self.current
        return Actor(
            user=self.event_user or (current.user.id if current else None),
            impersonator=current.session.impersonated_by if current else None,
            ip=self.client_ip,
            request=self.request_id,
        )

    @property
    def database(self) -> Database:
        return self.services.database.acting(self.actor)

    @property
    def current_session(self) -> CurrentSession:
        """The session of an endpoint that needs one."""
        if self.current is None:
            raise LookupError("this endpoint declares no session")
        return self.current

    @property
    def user(self) -> User:
        """The user of an endpoint that needs a session."""
        return self.current_session.user

    @property
    def social(self) -> "Social":
        """Sign-in with providers, for an endpoint that is there with providers only."""
        if self.services.social is None:
            raise LookupError("no provider is configured")
        return self.services.social

    def body_field(self, name: str, default: Any = None) -> Any:
        """A field of the body; the default also when the body is not an object."""
        return self.body.get(name, default) if isinstance(self.body, dict) else default

    @cached_property
    def session_token(self) -> str | None:
        """The token of the session cookie, when its signature is good. Kept once it was read."""
        cookies = self.services.cookies
        return cookies.signed_value(self.cookies, cookies.session_token)

    @property
    def dont_remember(self) -> bool:
        cookies = self.services.cookies
        return cookies.signed_value(self.cookies, cookies.dont_remember) is not None

    def set_session_cookie(self, token: str, *, remember: bool | None = None) -> None:
        """``remember`` None: as the cookies of the request have it."""
        had_remembered = not self.dont_remember
        if remember is None:
            remember = had_remembered
        self.response_cookies += self.services.cookies.session(
            token, remember=remember, remembered=had_remembered
        )

    def log_event(self, name: str, outcome: str, **more: Any) -> None:
        """Log a security event with who asked, from where."""
        user_id = self.event_user or (self.current.user.id if self.current else None)
        impersonator = self.current.session.impersonated_by if self.current else None
        email = self.body_field("email")
        security_event(
            name,
            outcome=outcome,
            user=str(user_id) if user_id else None,
            impersonator=str(impersonator) if impersonator else None,
            target=str(self.event_target) if self.event_target else None,
            account=self.services.pseudonyms.of(email.lower()) if isinstance(email, str) else None,
            ip=self.client_ip,
            agent=agent_of(self.headers),
            request=self.request_id,
            **more,
        )

    def clear_cookies(self) -> None:
        """End the session cookie and every copy of it."""
        self.response_cookies += self.services.cookies.all_cleared(self.cookies)


def utc_now() -> datetime:
    """Now in UTC, in the milliseconds that the columns and the Node side keep."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def redirect(location: str) -> Response:
    return Response(b"", 302, {"location": location, "content-type": "application/json"})
