"""POST /sign-in/email: a session for an address and its password."""

from typing import Final

from ..errors import AuthError
from . import answers, passwords, serializers, sessions
from .context import CREDENTIAL, RequestContext
from .endpoint import hashing, post
from .validation import boolean, fields, is_email, optional, string


async def sign_in(context: RequestContext) -> answers.SignedIn:
    """Sign in with an email address and its password."""
    body = context.body
    email, password = body["email"], body["password"]
    if not is_email(email):
        raise AuthError(400, "INVALID_EMAIL")
    passwords.check_length(password)
    account_limit = context.services.account_limit
    attempt = await account_limit.begin(email.lower(), context.client_ip)
    with_password = context.services.user_statements.with_password
    found = await context.database.fetchrow(with_password, CREDENTIAL, attempt.email)
    if found is None or found.password is None:
        # takes as long as a wrong password does
        await context.services.passwords.dummy_hash(password, context.request)
        raise AuthError(401, "INVALID_EMAIL_OR_PASSWORD")
    user = found.user
    context.event_user = user.id
    if not await context.services.passwords.verify(found.password, password, context.request):
        raise AuthError(401, "INVALID_EMAIL_OR_PASSWORD")
    await account_limit.succeed(attempt)
    if context.settings.require_email_verification and not user.email_verified:
        raise AuthError(403, "EMAIL_NOT_VERIFIED")
    remember = body.get("rememberMe") is not False
    session = await sessions.start_by_password(context, user.id, found.password, remember=remember)
    if session is None:  # the password was changed meanwhile
        raise AuthError(401, "INVALID_EMAIL_OR_PASSWORD")
    answer: answers.SignedIn = {
        "redirect": bool(body.get("callbackURL")),
        "token": session.token,
        "user": serializers.user(user, context.services.user_fields.shown),
    }
    if "callbackURL" in body:
        answer["url"] = body["callbackURL"]
        if body["callbackURL"]:
            location = context.services.origins.header(body["callbackURL"])
            context.response_headers["location"] = location
    return answer


_FIELDS: Final = fields(
    {
        "email": string,
        "password": string,
        "callbackURL": optional(string),
        "rememberMe": optional(boolean),
    }
)

routes: Final = [
    post(
        "/sign-in/email",
        hashing(sign_in),
        body=_FIELDS,
        accepts_form=True,
        checks_login_csrf=True,
        event="sign_in",
        errors={
            "INVALID_EMAIL": 400,
            "PASSWORD_TOO_LONG": 400,
            "INVALID_EMAIL_OR_PASSWORD": 401,
            "EMAIL_NOT_VERIFIED": 403,
            "BANNED_USER": 403,
        },
    )
]
