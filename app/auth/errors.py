"""The auth door's errors: ``{message, code}``, as Better Auth sends them.

Source: Better Auth 1.7, observed on the wire.
"""

import msgspec
from starlette.responses import Response

CODES = {
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


class AuthError(Exception):
    """A refusal: its status, and its code with the message that goes with it.

    ``code`` None with a message: the few that Better Auth sends without one. Both None: no body.
    ``bare``: no content type either, as for a path that is not there.
    """

    def __init__(
        self,
        status: int,
        code: str | None = None,
        message: str | None = None,
        *,
        bare: bool = False,
    ) -> None:
        super().__init__(code or message or str(status))
        self.bare = bare
        self.status = status
        self.code = code
        self.message = message or (CODES[code] if code else None)

    def response(self) -> Response:
        if self.message is None:
            headers = {} if self.bare else {"content-type": "application/json"}
            return Response(b"", self.status, headers)
        body = {"message": self.message} | ({"code": self.code} if self.code else {})
        headers = {"content-type": "application/json"}
        return Response(msgspec.json.encode(body), self.status, headers)
