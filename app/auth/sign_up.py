"""POST /sign-up/email: a user, its password and its first session."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from app.auth import email_verification, passwords, wire
from app.auth.call import CREDENTIAL, Call, now
from app.auth.errors import AuthError
from app.auth.sessions import new_session
from app.database import DatabaseError, Transaction
from app.statements import sessions, users


async def sign_up(call: Call) -> Any:
    body, settings = call.body, call.settings
    email, password = body["email"].lower(), body["password"]
    check_length(password)
    signs_in = settings.auto_sign_in and not settings.require_email_verification
    if await call.database.fetch(users.by_email, email):
        if signs_in:
            raise AuthError(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL")
        # nobody learns who has an account here: the same answer in the same time
        await call.auth.passwords.waste(password)
        return {"token": None, "user": _invented(body["name"], email, body.get("image"))}
    stored = await call.auth.passwords.hash(password)
    remember = body.get("rememberMe") is not False

    async def write(transaction: Transaction) -> tuple[Any, Any]:
        (user,) = await transaction.fetch(
            users.sign_up, body["name"], email, body.get("image"), CREDENTIAL, stored
        )
        if not signs_in:
            return user, None
        arguments = new_session(call, user["id"], remember=remember)
        (session,) = await transaction.fetch(sessions.create, *arguments)
        return user, session

    try:
        user, session = await call.database.transact("users.sign_up", write)
    except DatabaseError as error:
        # another sign-up was faster, or the database takes no such text
        raise AuthError(422, "FAILED_TO_CREATE_USER") from error
    if settings.send_verification_on_sign_up:
        await email_verification.send(call, user, body.get("callbackURL") or "/")
    if session is not None:
        call.set_session_cookie(session["token"], remember=remember)
    return {"token": session["token"] if session else None, "user": wire.user(user)}


def check_length(password: str) -> None:
    """Raises AuthError 400 for a new password that is too short or too long."""
    if passwords.length(password) < passwords.MIN_LENGTH:
        raise AuthError(400, "PASSWORD_TOO_SHORT")
    if passwords.length(password) > passwords.MAX_LENGTH:
        raise AuthError(400, "PASSWORD_TOO_LONG")


def _invented(name: str, email: str, image: str | None) -> dict[str, Any]:
    moment: datetime = now().astimezone(UTC)
    return wire.user(
        {
            "id": uuid4(),
            "name": name,
            "email": email,
            "email_verified": False,
            "image": image,
            "created_at": moment,
            "updated_at": moment,
        }
    )
