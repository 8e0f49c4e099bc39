"""A screen: who may see it, and how its HTML is made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from ..auth import sessions
from ..auth.context import RequestContext, Services
from ..auth.endpoint import request_context
from ..auth.rate_limit import SCREENS
from ..errors import AuthError, BusyError, DatabaseError, TooManyRequestsError
from ..responses import NO_STORE, RETRY_AFTER

PREFIX: Final = "/admin"
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-robots-tag": "noindex",
    **NO_STORE,
}
_SIGN_IN: Final = f"{PREFIX}/sign-in"

templates: Final = Environment(
    loader=PackageLoader(__package__ or "", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class NotFoundError(Exception):
    """What the screen is about is not there."""


class BadQueryError(Exception):
    """What the address asks for cannot be read; the message says what."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A template and the handler that gives its values, or a response of the handler's own.

    An ASGI application. It answers GET: only to a user whose role grants ``action`` on
    ``resource``; others are led to the sign-in, or told that this is not for them.
    """

    handler: Callable[[RequestContext], Awaitable[Mapping[str, Any] | Response]]
    template: str
    resource: str = "user"
    action: str = "list"
    is_public: bool = False
    is_download: bool = False
    """Only a page of this origin, or a person, asks for it: no link of another site saves it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        services: Services = scope["app"].state.auth
        context = request_context(services, request)
        response = await self._answer(context)
        for line in context.response_cookies:
            response.headers.append("set-cookie", line)
        response.headers.update(HEADERS)
        await response(scope, receive, send)

    async def _answer(self, context: RequestContext) -> Response:
        services, settings = context.services, context.settings
        try:
            await services.rate_limiter.check(context.client_ip, PREFIX, SCREENS)
            context.current = await sessions.find(
                context, may_write=not settings.defer_session_refresh
            )
            if not self.is_public:
                if context.current is None:
                    return _to_sign_in(context)
                if not settings.admin.may(context.user.role, self.resource, self.action):
                    return render(context, "refused.html", {}, 403)
            if self.is_download and not _is_own(context):
                return _problem(context, "A page of another site leads here. Ask again.", 403)
            given = await self.handler(context)
        except NotFoundError:
            return _problem(context, "There is nothing here.", 404)
        except BadQueryError as error:
            return _problem(context, f"{error}", 400)
        except TooManyRequestsError as error:
            return _problem(context, "Too many requests. Wait a few seconds.", error.status)
        except AuthError:
            return _to_sign_in(context)
        except (DatabaseError, BusyError):
            text = "The database does not answer. Try again in a moment."
            response = _problem(context, text, 503)
            response.headers.update(RETRY_AFTER)
            return response
        return given if isinstance(given, Response) else render(context, self.template, given)


def render(
    context: RequestContext, template: str, values: Mapping[str, Any], status: int = 200
) -> Response:
    """A page of the template.

    It always knows ``user``, who is signed in, whether that is an administrator's ``acting``,
    ``may(resource, action)``, the ``path``, and ``target``, which is the path with its query.
    """
    current = context.current
    role = current.user.role if current else ""
    shared = {
        "user": current.user if current else None,
        "acting": current is not None and current.session.impersonated_by is not None,
        "may": partial(context.settings.admin.may, role) if current else _nothing,
        "path": context.request.scope["path"],
        "target": _target(context),
        "prefix": PREFIX,
    }
    return HTMLResponse(templates.get_template(template).render(shared | dict(values)), status)


def asked(context: RequestContext, name: str, longest: int = 255) -> str:
    """A text of the query, '' without it. Raises BadQueryError for what no screen links to."""
    given = context.query.get(name, "")
    if not isinstance(given, str):
        raise BadQueryError(f"“{name}” is in the address more than once.")
    if "\0" in given or len(given) > longest:
        raise BadQueryError(f"“{name}” has at most {longest} characters, and no NUL.")
    return given


async def nowhere(context: RequestContext) -> Response:
    """Every other address below the prefix."""
    if context.request.scope["path"] == f"{PREFIX}/":
        return RedirectResponse(PREFIX, 308)
    raise NotFoundError


def _nothing(*_: str) -> bool:
    return False


def _problem(context: RequestContext, text: str, status: int) -> Response:
    return render(context, "problem.html", {"problem": text}, status)


def _is_own(context: RequestContext) -> bool:
    return context.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _target(context: RequestContext) -> str:
    scope = context.request.scope
    query = scope["query_string"].decode("latin-1")
    return quote(scope["path"]) + (f"?{query}" if query else "")


def _to_sign_in(context: RequestContext) -> Response:
    return RedirectResponse(f"{_SIGN_IN}?next={quote(_target(context), safe='')}", 303)
