"""POST /sign-up/email: a user, its password and its first session."""

import asyncio
import time
from typing import Any, Final
from uuid import uuid4

from app.auth import email_verification, serializers, sessions
from app.auth.context import CREDENTIAL, RequestContext, utc_now
from app.auth.endpoint import hashing, post
from app.auth.validation import (
    boolean,
    both,
    email,
    fields,
    long_string,
    non_empty_string,
    optional,
    record,
    short_string,
    string,
)
from app.database import Transaction
from app.errors import AuthError, StatementError
from app.schema import Session, User
from app.statements import users

_WRITING: Final = 0.1
"""Seconds after the hash that a sign-up takes at least which tells nobody who is registered."""


async def sign_up(context: RequestContext) -> Any:
    body, settings = context.body, context.settings
    address, password = body["email"].lower(), body["password"]
    context.services.passwords.check_new(password)
    signs_in = settings.auto_sign_in and not settings.require_email_verification
    if signs_in and await context.database.fetchrow(users.by_email, address):
        raise AuthError(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL")
    stored = await context.services.passwords.hash(password, context.request)
    hashed_at = time.monotonic()
    remember = body.get("rememberMe") is not False
    new = sessions.new_session(context, remember=remember)

    async def write(transaction: Transaction) -> tuple[User | None, Session | None]:
        user = await transaction.fetchrow(
            users.sign_up, body["name"], address, body.get("image"), CREDENTIAL, stored
        )
        if user is None or not signs_in:
            return user, None
        return user, await sessions.insert(transaction, context, user.id, new)

    try:
        user, session = await context.database.transaction("users.sign_up", write)
    except StatementError as error:
        raise AuthError(422, "FAILED_TO_CREATE_USER") from error
    if user is None and signs_in:  # another sign-up was faster
        raise AuthError(422, "FAILED_TO_CREATE_USER")
    context.event_user = user.id if user else None
    if settings.send_verification_on_sign_up:
        if user is not None:
            await email_verification.send(context, user, body.get("callbackURL") or "/")
        else:
            await email_verification.do_as_if_sent(context, address)
    if not signs_in:
        # the same answer in the same time, so that nobody learns who has an account
        await asyncio.sleep(max(0.0, hashed_at + _WRITING - time.monotonic()))
    user = user or _invented(body["name"], address, body.get("image"))
    if session is not None:
        context.set_session_cookie(session.token, remember=remember)
    return {"token": session.token if session else None, "user": serializers.user(user)}


def _invented(name: str, address: str, image: str | None) -> User:
    now = utc_now()
    return User(uuid4(), name, address, False, image, now, now)


_FIELDS: Final = fields(
    {
        "name": short_string,
        "email": email,
        "password": non_empty_string,
        "image": optional(long_string),
        "callbackURL": optional(string),
        "rememberMe": optional(boolean),
    }
)

routes: Final = [
    post(
        "/sign-up/email",
        hashing(sign_up),
        body=both(_FIELDS, record),
        accepts_form=True,
        checks_login_csrf=True,
        event="sign_up",
    )
]
