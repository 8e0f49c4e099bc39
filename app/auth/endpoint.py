"""An endpoint of the auth API: the checks before its handler, in the order of the protocol.

Rate limit, route, body, origin, fields, forms of other sites, session, callback, handler.
Source: Better Auth 1.7, observed on the wire.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from .. import pages
from ..body_limit import limited
from ..errors import (
    AuthError,
    BusyError,
    DatabaseError,
    RequestTooLargeError,
    TooManyRequestsError,
)
from ..redaction import safe_path
from . import cookies, csrf, sessions, validation
from .context import PREFIX, RequestContext, Services
from .errors import error_response
from .rate_limit import Rule, default_rule
from .validation import Check

Handler = Callable[[RequestContext], Awaitable[Any]]
"""Gives a Response, or what becomes the JSON of one. Raises AuthError and DatabaseError.

Its docstring and the type that it returns are in the description of the API.
"""

_JSON: Final = "application/json"
_MAX_BODY: Final = 64 * 1024  # bytes; the longest that a client sends are ID tokens of some 4 KiB
_FORM: Final = "application/x-www-form-urlencoded"
URLS: Final = (
    ("callbackURL", "INVALID_CALLBACK_URL"),
    ("redirectTo", "INVALID_REDIRECT_URL"),
    ("errorCallbackURL", "INVALID_ERROR_CALLBACK_URL"),
    ("newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL"),
)
_json_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A handler, and what is checked before it runs. An ASGI application."""

    handler: Handler
    path: str
    """Below the prefix; what it names in braces does not count for the rate limit."""
    rate_limit: Rule
    body: Check | None = None
    """None: a body is parsed and not validated."""
    query: Check | None = None
    session: Literal["none", "optional", "session", "bare", "fresh"] = "none"
    """optional: the handler looks for one itself; bare: the 401 without one has no body."""
    accepts_form: bool = False
    checks_login_csrf: bool = False
    """A form of another site could post it, so a request without cookies is looked at as well."""
    is_posted_by_others: bool = False
    """A form of another site leads here. No cookie is read, so its origin is not looked at."""
    ignores_body: bool = False
    redirects_to_callback: bool = False
    """A GET that redirects to the callbackURL of its query."""
    looks_up: bool = False
    """It asks whose a session is, which a backend does for all its users from one address: its
    requests count by session, and those with the service key not at all."""
    event: str | None = None
    """The security event that a request is, with what came of it."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """The statuses of the handler's own errors, by their codes; of one without a code by its
    message, and of one without either by ''."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        services: Services = scope["app"].state.auth
        request = Request(scope, receive)
        context = request_context(services, request)
        shows_page = self.redirects_to_callback and pages.wants_page(request)
        checked = False
        try:
            await self._check(request, context)
            checked = True
            result = await self.handler(context)
        except (AuthError, DatabaseError) as error:
            result = error_response(error)
            # 429 and 503 have headers that say when to come back
            if shows_page and isinstance(error, AuthError) and error.status < 429:
                result = pages.failed(error.code, error.status)
            self._log_refusal(context, request, error, checked=checked)
        else:
            if shows_page and not isinstance(result, Response):
                result = pages.done()
            if self.event is not None:
                outcome = "refused" if context.refusal else "ok"
                context.log_event(context.event or self.event, outcome, reason=context.refusal)
        response = _response(context, result)
        for plugin in services.plugins:
            await plugin.after(context, response)
        services.cors.add_headers(request.headers, response)
        await response(scope, receive, send)

    def _log_refusal(
        self,
        context: RequestContext,
        request: Request,
        error: AuthError | DatabaseError,
        *,
        checked: bool,
    ) -> None:
        """``checked``: the handler refused, and not a check before it."""
        if isinstance(error, DatabaseError | BusyError):
            if self.event is not None:
                reason = "BUSY" if isinstance(error, BusyError) else "DATABASE"
                context.log_event(context.event or self.event, "failed", reason=reason)
            return
        path, reason = safe_path(_path(request)), error.code
        if isinstance(error, TooManyRequestsError):
            limit = "account" if checked else "address"
            context.log_event("rate_limited", "refused", path=path, limit=limit)
        elif checked and self.event is not None:
            context.log_event(context.event or self.event, "refused", reason=reason)
        elif not checked and error.status in (401, 403):
            context.log_event("request_refused", "refused", path=path, reason=reason)

    async def _check(self, request: Request, context: RequestContext) -> None:
        services = context.services
        for plugin in services.plugins:
            plugin.before(context)
        if not (self.looks_up and _shows_service_key(context)):
            asks = (self.looks_up and context.session_token) or context.client_ip
            await services.rate_limiter.check(asks, self.path, self.rate_limit)
        reads = context.method == "GET"
        if not reads and not self.ignores_body:
            context.body = await _body(request, accepts_form=self.accepts_form)
        if not self.is_posted_by_others:
            csrf.check_cookies(services, request)
        if not reads:
            _check_urls(context)
        if self.body is not None:
            validation.raise_if_invalid(self.body("body", context.body))
        if self.query is not None:
            context.query = _storable("query", context.query)
            validation.raise_if_invalid(self.query("query", context.query))
        if self.checks_login_csrf and "cookie" not in request.headers:
            csrf.check_login(services, request)
        if self.session in ("session", "bare", "fresh"):
            await self._require_session(context)
        if self.redirects_to_callback:
            callback = context.query.get("callbackURL")
            if callback and not services.origins.trusts(callback, relative=True):
                raise AuthError(403, "INVALID_CALLBACK_URL")

    async def _require_session(self, context: RequestContext) -> None:
        may_write = not context.settings.defer_session_refresh
        context.current = await sessions.find(context, may_write=may_write)
        if context.current is None:
            raise AuthError(401, None if self.session == "bare" else "UNAUTHORIZED")
        if self.session == "fresh" and not sessions.is_fresh(context, context.current):
            raise AuthError(403, "SESSION_NOT_FRESH")


class AuthRoute(Route):
    """A path and one method. Another method is another path to Better Auth: 404, never 405."""

    def __init__(self, method: str, path: str, handler: Handler, **checks: Any) -> None:
        """``checks`` are the fields of Endpoint."""
        checks.setdefault("rate_limit", default_rule(path))
        endpoint = Endpoint(handler=handler, path=path, **checks)
        super().__init__(path, endpoint, methods=[method], name=f"{method} {PREFIX}{path}")
        self.methods = {method}  # Starlette adds HEAD to GET

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (match, child_scope) if match is Match.FULL else (Match.NONE, {})


get: Final = partial(AuthRoute, "GET")
post: Final = partial(AuthRoute, "POST")


def hashing(handler: Handler) -> Handler:
    """A handler that hashes passwords: it does not begin without a place in their queue."""

    @wraps(handler)
    async def with_place(context: RequestContext) -> Any:
        with context.services.passwords.place():
            return await handler(context)

    return with_place


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """A preflight request, or a path that no endpoint has, which counts for the rate limit too."""
    if scope["type"] == "websocket":
        await WebSocketClose()(scope, receive, send)
        return
    services: Services = scope["app"].state.auth
    request = Request(scope, receive)
    response = services.cors.preflight(request.method, request.headers)
    if response is None:
        path, ip = _path(request), services.client_addresses.of(scope)
        try:
            await services.rate_limiter.check(ip, path, default_rule(path), known=False)
            response = error_response(AuthError(404, bare=True))
        except AuthError as error:
            response = error_response(error)
            request_context(services, request).log_event(
                "rate_limited", "refused", path=safe_path(path), limit="address"
            )
    services.cors.add_headers(request.headers, response)
    await response(scope, receive, send)


class JsonResponse(Response):
    """Encoded JSON, status 200. Starlette's own constructor normalises each header of it."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *((name.encode(), value.encode("latin-1")) for name, value in headers.items()),
        ]


def request_context(services: Services, request: Request) -> RequestContext:
    """What a request came with; nothing is checked yet."""
    headers = request.headers
    return RequestContext(
        services=services,
        request=request,
        method=request.method,
        headers=headers,
        cookies=cookies.parse("; ".join(headers.getlist("cookie"))),
        request_id=request.scope["state"].get("request_id", ""),
        body=validation.UNDEFINED,
        query=_query(request),
    )


def _path(request: Request) -> str:
    """The path below the prefix, still percent-encoded."""
    path: str = request.scope["path"]
    return path.removeprefix(PREFIX)


def _response(context: RequestContext, result: Any) -> Response:
    """What the handler gave as a response, with the headers and cookies of the context."""
    if isinstance(result, Response):
        response = result
        response.headers.update(context.response_headers)
    else:
        response = JsonResponse(_json_encode(result), context.response_headers)
    for line in context.response_cookies:
        response.headers.append("set-cookie", line)
    return response


def _shows_service_key(context: RequestContext) -> bool:
    headers = context.headers
    return "apikey" in headers and context.services.knows_service_key(headers["apikey"])


def not_text(name: str) -> str:
    """The message for a field of ``URLS`` that is no text."""
    return f"Invalid {'redirectURL' if name == 'redirectTo' else name}: expected a string"


def _check_urls(context: RequestContext) -> None:
    """Refuse addresses in the body that lead off the trusted origins."""
    for name, code in URLS:
        url = context.body_field(name)
        if name == "callbackURL" and url in _FALSY:
            url = context.query.get(name)
        if url in _FALSY:
            continue
        if not isinstance(url, str):
            raise AuthError(400, message=not_text(name))
        if not context.services.origins.trusts(url, relative=True):
            raise AuthError(403, code)


_FALSY: Final = (None, "", False, 0)
"""What JavaScript takes for false."""


async def _body(request: Request, *, accepts_form: bool) -> Any:
    """The decoded body, or UNDEFINED without one.

    Raises AuthError: 413 for more than 64 KiB, before they are read, 415 for another media type,
    400 for malformed JSON.
    """
    content_type = request.headers.get("content-type")
    is_empty = request.headers.get("content-length", "0") == "0"
    if not content_type or (is_empty and "transfer-encoding" not in request.headers):
        return validation.UNDEFINED
    scope = request.scope
    try:
        body = await Request(scope, limited(scope, request.receive, _MAX_BODY)).body()
    except RequestTooLargeError as error:
        raise AuthError(413, "PAYLOAD_TOO_LARGE", f"{error}") from None
    allowed = (_FORM, _JSON) if accepts_form else (_JSON,)
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in allowed:
        raise AuthError(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f'Content-Type "{content_type}" is not allowed. Allowed types: {", ".join(allowed)}',
        )
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        if media_type == _FORM:
            return _storable("body", dict(parse_qsl(text, keep_blank_values=True)))
        return _storable("body", json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        raise AuthError(400, "BAD_REQUEST", "Invalid JSON in request body") from None


def _refuse_constant(name: str) -> Any:
    """NaN and the infinities, which Python's decoder takes and JSON does not have."""
    raise ValueError(name)


def _storable(path: str, value: Any) -> Any:
    """A value without lone surrogates, which JSON can carry and no database stores: U+FFFD instead.

    Raises AuthError 400 for a NUL, before anything is looked up: the answer must not tell whether
    there was something to store.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise AuthError(400, "BAD_REQUEST", f"[{path}] Invalid input: a NUL is not storable")
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_storable(f"{path}.{number}", item) for number, item in enumerate(value)]
    if isinstance(value, dict):
        return {
            _storable(path, name): _storable(f"{path}.{name}", item) for name, item in value.items()
        }
    return value


def _query(request: Request) -> dict[str, Any]:
    """The query; a name given twice becomes a list, which no check accepts."""
    query_string: bytes = request.scope["query_string"]
    found: dict[str, Any] = {}
    if not query_string:
        return found
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        match found.get(name):
            case None:
                found[name] = value
            case list() as values:
                values.append(value)
            case first:
                found[name] = [first, value]
    return found
