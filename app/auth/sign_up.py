"""POST /sign-up/email: a user, its password and its first session."""

from typing import Any, Final
from uuid import uuid4

from app.auth import email_verification, passwords, serializers, sessions
from app.auth.context import CREDENTIAL, RequestContext, utc_now
from app.auth.endpoint import post
from app.auth.validation import (
    boolean,
    both,
    email,
    fields,
    non_empty_string,
    optional,
    record,
    string,
)
from app.database import Transaction
from app.errors import AuthError, StatementError
from app.schema import Session, User
from app.statements import users


async def sign_up(context: RequestContext) -> Any:
    body, settings = context.body, context.settings
    address, password = body["email"].lower(), body["password"]
    passwords.check_new(password)
    signs_in = settings.auto_sign_in and not settings.require_email_verification
    if await context.database.fetchrow(users.by_email, address):
        if signs_in:
            raise AuthError(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL")
        # the same answer in the same time, so that nobody learns who has an account
        await context.services.passwords.dummy_hash(password)
        return {"token": None, "user": _invented(body["name"], address, body.get("image"))}
    stored = await context.services.passwords.hash(password)
    remember = body.get("rememberMe") is not False
    new = sessions.new_session(context, remember=remember)

    async def write(transaction: Transaction) -> tuple[User, Session | None]:
        (user,) = await transaction.fetch(
            users.sign_up, body["name"], address, body.get("image"), CREDENTIAL, stored
        )
        if not signs_in:
            return user, None
        return user, await sessions.insert(transaction, context, user.id, new)

    try:
        user, session = await context.database.transaction("users.sign_up", write)
    except StatementError as error:
        # another sign-up was faster, or the database cannot store the text
        raise AuthError(422, "FAILED_TO_CREATE_USER") from error
    if settings.send_verification_on_sign_up:
        await email_verification.send(context, user, body.get("callbackURL") or "/")
    if session is not None:
        context.set_session_cookie(session.token, remember=remember)
    return {"token": session.token if session else None, "user": serializers.user(user)}


def _invented(name: str, address: str, image: str | None) -> dict[str, Any]:
    now = utc_now()
    return serializers.user(User(uuid4(), name, address, False, image, now, now))


_FIELDS: Final = fields(
    {
        "name": string,
        "email": email,
        "password": non_empty_string,
        "image": optional(string),
        "callbackURL": optional(string),
        "rememberMe": optional(boolean),
    }
)

routes: Final = [
    post(
        "/sign-up/email",
        sign_up,
        body=both(_FIELDS, record),
        accepts_form=True,
        checks_login_csrf=True,
    )
]
