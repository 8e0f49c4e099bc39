"""POST /sign-in/email: a session for an address and its password."""

from typing import Any

from app.auth import passwords, sessions, wire
from app.auth.call import CREDENTIAL, Call
from app.auth.errors import AuthError
from app.auth.validation import is_email
from app.statements import users


async def sign_in(call: Call) -> Any:
    body = call.body
    email, password = body["email"], body["password"]
    if not is_email(email):
        raise AuthError(400, "INVALID_EMAIL")
    check_not_too_long(password)
    rows = await call.database.fetch(users.with_password, CREDENTIAL, email.lower())
    stored = rows[0]["password"] if rows else None
    if stored is None:
        # as long as a wrong password takes
        await call.auth.passwords.waste(password)
        raise AuthError(401, "INVALID_EMAIL_OR_PASSWORD")
    if not await call.auth.passwords.verify(stored, password):
        raise AuthError(401, "INVALID_EMAIL_OR_PASSWORD")
    user = rows[0]
    if call.settings.require_email_verification and not user["email_verified"]:
        raise AuthError(403, "EMAIL_NOT_VERIFIED")
    remember = body.get("rememberMe") is not False
    session = await sessions.start(call, user["id"], remember=remember)
    answer: dict[str, Any] = {
        "redirect": bool(body.get("callbackURL")),
        "token": session["token"],
        "user": wire.user(user),
    }
    if "callbackURL" in body:
        answer["url"] = body["callbackURL"]
        if body["callbackURL"]:
            call.headers_out["location"] = call.auth.origins.header(body["callbackURL"])
    return answer


def check_not_too_long(password: str) -> None:
    """Raises AuthError 400 before any hashing."""
    if passwords.length(password) > passwords.MAX_LENGTH:
        raise AuthError(400, "PASSWORD_TOO_LONG")
