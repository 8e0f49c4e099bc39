"""bearer: a session token in ``Authorization`` instead of a cookie, as Better Auth's plugin has it.

The token is the cookie's value, ``token.signature``. A bare token is not accepted, for then whoever
reads the table of sessions would be everybody.
"""

from urllib.parse import unquote

from starlette.responses import Response

from ..context import RequestContext
from . import Plugin as Base
from . import expose


class Plugin(Base):
    """Needs nothing of the application."""

    def before(self, context: RequestContext) -> None:
        """Take a token with a good signature for the session cookie."""
        scheme, _, given = context.headers.get("authorization", "").partition(" ")
        token = given.strip()
        if scheme.lower() != "bearer" or not token:
            return
        token = unquote(token) if "%" in token else token
        cookies = context.services.cookies
        if cookies.is_signed(token):
            context.cookies[cookies.session_token] = token

    async def after(self, context: RequestContext, response: Response) -> None:
        """Give the client its copy of a session cookie that was set."""
        start = f"{context.services.cookies.session_token}="
        line = next((c for c in reversed(context.response_cookies) if c.startswith(start)), None)
        if line is None:
            return
        value = line.removeprefix(start).partition(";")[0]
        if value and "Max-Age=0" not in line:
            expose(response, "set-auth-token", unquote(value))
