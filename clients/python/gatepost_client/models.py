"""A session and its user, as get-session of Better Auth's protocol describes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .errors import UnexpectedResponseError


@dataclass(frozen=True, slots=True)
class User:
    """Who is signed in. Times are in UTC."""

    id: str
    email: str
    """Empty, as the name, where a JWT leaves it out."""
    name: str
    email_verified: bool
    image: str | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further fields by their names in the protocol: ``role``, ``banned``, fields of your own."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the admin plugin gave, which are text with commas between them."""
        role = self.extra.get("role")
        parts = role.split(",") if isinstance(role, str) else ()
        return tuple(part.strip() for part in parts if part.strip())


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is good now, with its user. Times are in UTC."""

    user: User
    expires_at: datetime
    id: str | None = None
    """None, as the next four, where only a JWT was looked at."""
    token: str | None = field(default=None, repr=False)
    """The secret of the session: keep it out of logs."""
    created_at: datetime | None = None
    """When the user signed in."""
    ip_address: str | None = None
    user_agent: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further fields by their names in the protocol, such as ``impersonatedBy``."""

    def is_fresh(self, seconds: float = 24 * 3600) -> bool:
        """Whether the sign-in itself was at most so long ago; False where that is not known."""
        if self.created_at is None:
            return False
        return datetime.now(UTC) - self.created_at < timedelta(seconds=seconds)


_USER: Final = {"id", "email", "name", "emailVerified", "image", "createdAt", "updatedAt"}
_SESSION: Final = {
    "id", "token", "userId", "expiresAt", "createdAt", "updatedAt", "ipAddress", "userAgent",
}  # fmt: skip


def user_from_json(value: Mapping[str, Any]) -> User:
    """Raises UnexpectedResponseError."""
    try:
        return User(
            id=_text(value["id"]),
            email=value.get("email") or "",
            name=value.get("name") or "",
            email_verified=value.get("emailVerified") is True,
            image=value.get("image"),
            created_at=parse_time(value["createdAt"]) if "createdAt" in value else None,
            updated_at=parse_time(value["updatedAt"]) if "updatedAt" in value else None,
            extra={name: item for name, item in value.items() if name not in _USER},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponseError(f"this is no user: {error!r}") from error


def session_from_json(value: Any) -> Session:
    """``{"session": {…}, "user": {…}}``. Raises UnexpectedResponseError."""
    try:
        session = value["session"]
        return Session(
            user=user_from_json(value["user"]),
            expires_at=parse_time(session["expiresAt"]),
            id=_text(session["id"]),
            token=session.get("token"),
            created_at=parse_time(session["createdAt"]),
            ip_address=session.get("ipAddress"),
            user_agent=session.get("userAgent"),
            extra={name: item for name, item in session.items() if name not in _SESSION},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponseError(f"this is no session: {error!r}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str | int) or not str(value):
        raise TypeError(value)
    return str(value)


def camel_case(column: str) -> str:
    """The protocol's name of a column: ``email_verified`` is ``emailVerified``."""
    first, *others = column.split("_")
    return first + "".join(part.capitalize() for part in others)


def parse_time(value: str) -> datetime:
    """A time in UTC."""
    time = datetime.fromisoformat(value)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
