"""POST /sign-up/email: a user, its password and its first session."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from ..database import Transaction
from ..errors import AuthError, StatementError
from ..schema import Session, User
from ..sql import Statement
from ..statements import users
from . import answers, email_verification, serializers, sessions
from .context import CREDENTIAL, RequestContext, utc_now
from .endpoint import hashing, post
from .fields import NEW_ROW
from .passwords import NEW_PASSWORD
from .validation import (
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

_WRITING: Final = 0.1
"""Seconds after the hash that a sign-up takes at least which tells nobody who is registered."""


async def sign_up(context: RequestContext) -> answers.WithToken:
    """Create a user with an email address and a password, and sign them in."""
    body, settings = context.body, context.settings
    address, password = body["email"].lower(), body["password"]
    services = context.services
    services.passwords.check_new(password)
    additional = services.user_fields.of_new_row(body)
    signs_in = settings.auto_sign_in and not settings.require_email_verification
    if signs_in and await context.database.fetchrow(users.by_email, address):
        raise AuthError(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL")
    stored = await services.passwords.hash(password, context.request)
    hashed_at = time.monotonic()
    remember = body.get("rememberMe") is not False
    new = sessions.new_session(context, remember=remember)
    values = additional | {"name": body["name"], "email": address, "image": body.get("image")}
    statement = services.user_statements.sign_up
    arguments = statement.arguments(values | {"provider": CREDENTIAL, "password": stored})

    async def write(transaction: Transaction) -> tuple[User | None, Session | None]:
        user = await transaction.fetchrow(statement, *arguments)
        if user is None or not signs_in:
            return user, None
        return user, await sessions.insert(transaction, context, user.id, new)

    try:
        user, session = await context.database.transaction("users.sign_up", write)
    except StatementError as error:
        if error.sqlstate[:2] not in ("22", "23"):  # not about what was sent
            raise
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
    user = user or _invented(statement, values, services.user_fields.synthetic(values))
    if session is not None:
        context.set_session_cookie(session.token, remember=remember)
    answer = serializers.user(user, services.user_fields.shown)
    return {"token": session.token if session else None, "user": answer}


def _invented(
    statement: Statement[User], values: Mapping[str, Any], additional: Mapping[str, Any]
) -> User:
    make, now = statement.row or User, utc_now()
    columns = {
        "id": uuid4(),
        "name": values["name"],
        "email": values["email"],
        "email_verified": False,
        "image": values["image"],
        "created_at": now,
        "updated_at": now,
        "role": None,
        "banned": False,
        "ban_reason": None,
        "ban_expires": None,
        **additional,
    }
    return make(**columns)


FIELDS: Final = fields(
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
        body=both(FIELDS, record),
        accepts_form=True,
        checks_login_csrf=True,
        event="sign_up",
        errors=NEW_PASSWORD
        | NEW_ROW
        | {"USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL": 422, "FAILED_TO_CREATE_USER": 422},
    )
]
