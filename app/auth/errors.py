"""The errors of the auth API: ``{message, code}``, as Better Auth sends them.

Source: Better Auth 1.7, observed on the wire.
"""

import logging
from typing import Final

import msgspec
from starlette.responses import Response

from ..errors import (
    AuthError,
    BusyError,
    DatabaseError,
    StatementError,
    TooManyRequestsError,
)
from ..logs import RATE_LIMIT
from ..responses import RETRY_AFTER

_log = logging.getLogger("gatepost.auth")
_log.addFilter(RATE_LIMIT)

MESSAGES: Final = {
    "ACCESS_TOKEN_NOT_FOUND": "Access token not found",
    "ACCOUNT_NOT_FOUND": "Account not found",
    "BANNED_USER": (
        "You have been banned from this application. Please contact support if you "
        "believe this is an error."
    ),
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
    "FAILED_TO_GET_ACCESS_TOKEN": "Failed to get a valid access token",
    "FAILED_TO_GET_SESSION": "Failed to get session",
    "FAILED_TO_GET_USER_INFO": "Failed to get user info",
    "FAILED_TO_REFRESH_ACCESS_TOKEN": "Failed to refresh access token",
    "FAILED_TO_UNLINK_LAST_ACCOUNT": "You can't unlink your last account",
    "FIELD_NOT_ALLOWED": "Field not allowed to be set",
    "ID_TOKEN_NOT_SUPPORTED": "id_token not supported",
    "INVALID_CALLBACK_URL": "Invalid callbackURL",
    "INVALID_EMAIL": "Invalid email",
    "INVALID_EMAIL_OR_PASSWORD": "Invalid email or password",
    "INVALID_ERROR_CALLBACK_URL": "Invalid errorCallbackURL",
    "INVALID_NEW_USER_CALLBACK_URL": "Invalid newUserCallbackURL",
    "INVALID_ORIGIN": "Invalid origin",
    "INVALID_PASSWORD": "Invalid password",
    "INVALID_REDIRECT_URL": "Invalid redirectURL",
    "INVALID_ROLE_TYPE": "Invalid role type",
    "INVALID_TOKEN": "Invalid token",
    "INVALID_USER": "Invalid user",
    "LAST_ADMINISTRATOR": "The last administrator has to stay",
    "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED": "Account not linked - different emails not allowed",
    "LINKING_FAILED": "Account not linked - unable to create account",
    "LINKING_NOT_ALLOWED": "Account not linked - linking not allowed",
    "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED": (
        "POST method requires deferSessionRefresh to be enabled in session config"
    ),
    "MISSING_FIELD": "Field is required",
    "MISSING_OR_NULL_ORIGIN": "Missing or null Origin",
    "NOT_FOUND": "Not found",
    "NO_DATA_TO_UPDATE": "No data to update",
    "PASSWORD_CANNOT_BE_UPDATED_VIA_UPDATE_USER": (
        "Password cannot be updated through update-user. Use the set-user-password endpoint instead"
    ),
    "PASSWORD_COMPROMISED": (
        "The password you entered has been compromised. Please choose a different password."
    ),
    "PASSWORD_TOO_LONG": "Password too long",
    "PASSWORD_TOO_SHORT": "Password too short",
    "PROVIDER_NOT_CONFIGURED": "Account is not associated with a configured social provider.",
    "PROVIDER_NOT_FOUND": "Provider not found",
    "REFRESH_TOKEN_NOT_FOUND": "Refresh token not found",
    "RESET_PASSWORD_DISABLED": "Reset password isn't enabled",
    "SESSION_EXPIRED": "Session expired. Re-authenticate to perform this action.",
    "SESSION_NOT_FRESH": "Session is not fresh",
    "SIGNING_KEY_UNREADABLE": "The signing key cannot be read with this server's secret",
    "SOCIAL_ACCOUNT_ALREADY_LINKED": "Social account already linked",
    "TOKEN_EXPIRED": "Token expired",
    "UNAUTHORIZED": "Unauthorized",
    "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL": "User already exists. Use another email.",
    "USER_EMAIL_NOT_FOUND": "User email not found",
    "USER_ID_CANNOT_BE_UPDATED": "User id cannot be updated",
    "USER_NOT_FOUND": "User not found",
    "VERIFICATION_EMAIL_NOT_ENABLED": "Verification email isn't enabled",
    "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS": "You are not allowed to ban users",
    "YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE": "You are not allowed to change users role",
    "YOU_ARE_NOT_ALLOWED_TO_CREATE_USERS": "You are not allowed to create users",
    "YOU_ARE_NOT_ALLOWED_TO_DELETE_USERS": "You are not allowed to delete users",
    "YOU_ARE_NOT_ALLOWED_TO_GET_USER": "You are not allowed to get user",
    "YOU_ARE_NOT_ALLOWED_TO_IMPERSONATE_USERS": "You are not allowed to impersonate users",
    "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS": "You are not allowed to list users",
    "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS_SESSIONS": "You are not allowed to list users sessions",
    "YOU_ARE_NOT_ALLOWED_TO_REVOKE_USERS_SESSIONS": "You are not allowed to revoke users sessions",
    "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE": (
        "You are not allowed to set a non-existent role value"
    ),
    "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_EMAIL": "You are not allowed to update users email",
    "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_PASSWORD": "You are not allowed to set users password",
    "YOU_ARE_NOT_ALLOWED_TO_UPDATE_USERS": "You are not allowed to update users",
    "YOU_CANNOT_BAN_YOURSELF": "You cannot ban yourself",
    "YOU_CANNOT_IMPERSONATE_ADMINS": "You cannot impersonate admins",
    "YOU_CANNOT_REMOVE_YOURSELF": "You cannot remove yourself",
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
    body = {"message": message, "code": error.code, "hint": error.hint}
    body = {name: text for name, text in body.items() if text is not None}
    return Response(msgspec.json.encode(body), error.status, headers)
