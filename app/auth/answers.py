"""What the endpoints answer: the JSON of each, which its handler names as what it returns.

The keys are the protocol's. An answer is a plain dict at run time; the types are for the type
checker, and for the description of the API.
"""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""UTC with milliseconds: ``2026-01-31T12:00:00.000Z``."""


class User(TypedDict):
    """A user, as the user sees themselves."""

    name: str
    email: str
    emailVerified: bool
    image: str | None
    createdAt: Time
    updatedAt: Time
    id: Id


class Session(TypedDict):
    """A session. The token is the session cookie's without its signature."""

    expiresAt: Time
    token: str
    createdAt: Time
    updatedAt: Time
    ipAddress: str
    userAgent: str
    userId: Id
    id: Id


class Device(TypedDict):
    """A session without its token. It was refreshed at `updatedAt`, and used then or later."""

    id: Id
    current: bool
    """Whether it is the session of the request."""
    browser: str | None
    system: str | None
    userAgent: str
    ipAddress: str
    createdAt: Time
    updatedAt: Time
    expiresAt: Time
    lastSeenAt: Time | None
    """Null where it is not recorded."""


class Account(TypedDict):
    """A way the user signs in: a password (`credential`) or a provider."""

    accountId: str
    providerId: str
    userId: Id
    createdAt: Time
    updatedAt: Time
    id: Id
    scopes: list[str]


class OneUser(TypedDict):
    """A user whom an administrator has looked at or changed."""

    user: User


class Users(TypedDict):
    """A page of users, and how many match."""

    users: list[User]
    total: int
    limit: NotRequired[int]
    offset: NotRequired[int]


class Sessions(TypedDict):
    """The sessions of a user."""

    sessions: list[Session]


class SessionLimits(TypedDict):
    """What holds for a user's sessions: lifetimes in seconds, null: without an end."""

    lifetime: int | None
    idleLifetime: int
    maxSessions: int


class SessionPolicy(TypedDict):
    """A user's own limits, null where the setting holds, and what follows from both."""

    lifetime: int | None
    idleLifetime: int | None
    maxSessions: int | None
    limits: SessionLimits


class ChangedSessionPolicy(SessionPolicy):
    """Limits that were changed."""

    ended: int
    """How many sessions ended by it."""


class SessionAndUser(TypedDict):
    """A session that has begun, and whose it is."""

    session: Session
    user: User


class Succeeded(TypedDict):
    """It is done."""

    success: Literal[True]


class HasPermission(TypedDict):
    """Whether the user may."""

    error: None
    success: bool


class CurrentSession(TypedDict):
    """The session of the request, and whose it is."""

    session: Session
    user: User
    needsRefresh: NotRequired[bool]
    """With deferred refresh: whether a POST is due."""


class UpdatedSession(TypedDict):
    """A session as it is now."""

    session: Session


class SignedIn(TypedDict):
    """The new session's token, and its user."""

    redirect: bool
    token: str
    user: User
    url: NotRequired[str]
    """The callbackURL of the request, to be followed when `redirect` is true."""


class AtProvider(TypedDict):
    """Where the provider is asked who it is; to be followed when `redirect` is true."""

    url: str
    redirect: bool
    status: NotRequired[Literal[True]]
    """The account was linked by its ID token; `url` is empty."""


class WithToken(TypedDict):
    """A user, and the token of the session that was started, if one was."""

    token: str | None
    user: User


class Token(TypedDict):
    """A JSON Web Token that says who is signed in."""

    token: str


class PublicKeys(TypedDict):
    """JSON Web Keys (RFC 7517), each with its `kid` and `alg`."""

    keys: list[dict[str, str]]


class AccessToken(TypedDict):
    """A token for a provider's API. What is not known is not there."""

    accessToken: str
    accessTokenExpiresAt: NotRequired[Time]
    scopes: list[str]
    idToken: NotRequired[str]


class RefreshedTokens(TypedDict):
    """An account's new tokens. `accountId` is the account's `id`, as list-accounts has it."""

    accessToken: str
    refreshToken: str
    accessTokenExpiresAt: NotRequired[Time]
    refreshTokenExpiresAt: Time | None
    scope: str | None
    idToken: str | None
    providerId: str
    accountId: Id


class ProviderUser(TypedDict):
    """Who a user is at a provider."""

    name: str
    email: str | None
    emailVerified: bool
    image: NotRequired[str]


class ProviderAccount(TypedDict):
    """An account by its `id`, and by what the provider calls it."""

    id: Id
    providerId: str
    accountId: str


class AccountInfo(TypedDict):
    """What a provider knows of an account; `data` is its own profile."""

    user: ProviderUser
    data: dict[str, Any]
    account: ProviderAccount


class Done(TypedDict):
    """It was done."""

    status: Literal[True]


class Sent(Done):
    """It was done, and what to tell the user."""

    message: str


class Verified(Done):
    """The address is verified. When it was changed, `user` has the new one."""

    user: NotRequired[User | None]


class Success(TypedDict):
    """It was done."""

    success: Literal[True]


class SignedOut(Success):
    """The session has ended. `url` is where the provider's own ends, to be followed when `redirect`
    is true."""

    url: NotRequired[str]
    redirect: NotRequired[bool]


class Deleted(Success):
    """The account was deleted, or the mail that will do so was sent."""

    message: str


class Alive(TypedDict):
    """The auth API answers."""

    ok: Literal[True]
