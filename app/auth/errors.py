"""The errors of the auth API: ``{message, code}``, as Better Auth sends them.

Source: Better Auth 1.7, observed on the wire.
"""

import logging
from typing import Final

import msgspec
from starlette.responses import Response

from app.errors import (
    AuthError,
    BusyError,
    DatabaseError,
    StatementError,
    TooManyRequestsError,
)
from app.logs import RATE_LIMIT
from app.responses import RETRY_AFTER

_log = logging.getLogger("gatepost.auth")
_log.addFilter(RATE_LIMIT)

MESSAGES: Final = {
    "ACCOUNT_NOT_FOUND": "Account not found",
    "CHANGE_EMAIL_DISABLED": "Change email is disabled",
    "CREDENTIAL_ACCOUNT_NOT_FOUND": "Credential account not found",
    "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED": (
        "Cross-site navigation login blocked. This request appears to be a CSRF attack."
    ),
    "EMAIL_ALREADY_VERIFIED": "Email is already verified",
    "EMAIL_CAN_NOT_BE_UPDATED": "Email can not be updated",
    "EMAIL_MISMATCH": "Email mismatch",
    "EMAIL_NOT_VERIFIED": "Email not verified",
    "FAILED_TO_CREATE_USER": "Failed to create user",
    "FAILED_TO_GET_SESSION": "Failed to get session",
    "FAILED_TO_GET_USER_INFO": "Failed to get user info",
    "FAILED_TO_UNLINK_LAST_ACCOUNT": "You can't unlink your last account",
    "INVALID_CALLBACK_URL": "Invalid callbackURL",
    "INVALID_EMAIL": "Invalid email",
    "INVALID_EMAIL_OR_PASSWORD": "Invalid email or password",
    "INVALID_ERROR_CALLBACK_URL": "Invalid errorCallbackURL",
    "INVALID_NEW_USER_CALLBACK_URL": "Invalid newUserCallbackURL",
    "INVALID_ORIGIN": "Invalid origin",
    "INVALID_PASSWORD": "Invalid password",
    "INVALID_REDIRECT_URL": "Invalid redirectURL",
    "INVALID_TOKEN": "Invalid token",
    "INVALID_USER": "Invalid user",
    "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED": (
        "POST method requires deferSessionRefresh to be enabled in session config"
    ),
    "MISSING_OR_NULL_ORIGIN": "Missing or null Origin",
    "NOT_FOUND": "Not found",
    "PASSWORD_COMPROMISED": (
        "The password you entered has been compromised. Please choose a different password."
    ),
    "PASSWORD_TOO_LONG": "Password too long",
    "PASSWORD_TOO_SHORT": "Password too short",
    "PROVIDER_NOT_FOUND": "Provider not found",
    "RESET_PASSWORD_DISABLED": "Reset password isn't enabled",
    "SESSION_EXPIRED": "Session expired. Re-authenticate to perform this action.",
    "SESSION_NOT_FRESH": "Session is not fresh",
    "TOKEN_EXPIRED": "Token expired",
    "UNAUTHORIZED": "Unauthorized",
    "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL": "User already exists. Use another email.",
    "USER_NOT_FOUND": "User not found",
    "VERIFICATION_EMAIL_NOT_ENABLED": "Verification email isn't enabled",
}
"""The message of each code; an AuthError may bring one of its own."""


def error_response(error: AuthError | DatabaseError) -> Response:
    """The response to what a handler raised. A database that fails is never "no session"."""
    match error:
        case AuthError():
            return _refusal(error)
        case StatementError() if error.sqlstate[:2] in ("22", "23", "54"):
            # a value that passed every check here, such as one beyond a limit of the database
            return _refusal(AuthError(400, "BAD_REQUEST", "Value not storable"))
        case StatementError():
            _log.error("the database refused a statement: %s", error)
            return _unavailable("Database schema mismatch")
    return _unavailable("The database cannot be reached")


def _unavailable(message: str) -> Response:
    response = _refusal(AuthError(503, message=message))
    response.headers.update(RETRY_AFTER)
    return response


def _refusal(error: AuthError) -> Response:
    message = error.message or (MESSAGES[error.code] if error.code else None)
    headers = {} if error.bare else {"content-type": "application/json"}
    if isinstance(error, TooManyRequestsError):
        headers["x-retry-after"] = str(error.retry_after)
    if isinstance(error, BusyError):
        headers["retry-after"] = str(error.retry_after)
    if message is None:
        return Response(b"", error.status, headers)
    body = {"message": message} | ({"code": error.code} if error.code else {})
    return Response(msgspec.json.encode(body), error.status, headers)
