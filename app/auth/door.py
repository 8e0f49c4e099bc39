"""The auth door: Better Auth's HTTP protocol under ``/api/auth``.

Source: Better Auth 1.7, observed on the wire. The order of the checks is part of the protocol:
rate limit, route, body, origin, fields, forms of other sites, session, callback, flow.
"""

import json
import logging
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from app.auth import cookies, sessions, validation
from app.auth.addresses import client_address
from app.auth.call import PREFIX, Auth, Call
from app.auth.cookies import Cookies, Signer
from app.auth.cors import Cors
from app.auth.endpoints import PATHS, Endpoint, route
from app.auth.errors import AuthError
from app.auth.lookups import Lookups
from app.auth.mail import Mail
from app.auth.origins import Origins
from app.auth.passwords import Passwords
from app.auth.plain import RAW_PATH, PlainGetSession
from app.auth.rate_limit import RateLimiter, TooManyRequestsError
from app.auth.tokens import MailTokens
from app.callbacks import awaited
from app.database import Database, DatabaseError, DatabaseUnavailableError
from app.http.answer import Answer, of
from app.http.errors import RETRY_AFTER
from app.settings import AuthSettings

_log = logging.getLogger("gatepost.auth")
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_URLS: Final = (
    ("callbackURL", "INVALID_CALLBACK_URL"),
    ("redirectTo", "INVALID_REDIRECT_URL"),
    ("errorCallbackURL", "INVALID_ERROR_CALLBACK_URL"),
    ("newUserCallbackURL", "INVALID_NEW_USER_CALLBACK_URL"),
)


class AuthDoor:
    """Answers everything below ``/api/auth``."""

    def __init__(self, database: Database, settings: AuthSettings) -> None:
        self._settings = settings
        self._limiter = RateLimiter(settings.rate_limit, database)
        self.auth = Auth(
            settings=settings,
            database=database,
            lookups=Lookups(database),
            cookies=Cookies(
                Signer(settings.secrets),
                prefix=settings.cookie_prefix,
                secure=settings.secure_cookies,
                domain=settings.cookie_domain,
                max_age=settings.session_expires_in,
            ),
            origins=Origins(settings.base_url, settings.trusted_origins),
            passwords=Passwords(),
            tokens=MailTokens(settings.secrets),
            mail=Mail(settings.mail),
        )
        self._cors = Cors(self.auth.origins)
        self.get_session = PlainGetSession(self.auth, self._limiter, self._cors, _broken)
        """The plain one, without a task."""

    async def close(self) -> None:
        await self.auth.mail.close()
        self.auth.passwords.close()

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The answer to one request."""
        if scope["raw_path"] == RAW_PATH and "counted" not in scope["state"]:
            answer = await awaited(partial(self.get_session, scope, b""))
            if answer is not None:
                return answer
        request = Request(scope, receive)
        response = self._cors.preflight(request) or await self._answer(request)
        self._cors.allow(request, response)
        return of(response)

    async def _answer(self, request: Request) -> Response:
        call = Call(
            auth=self.auth,
            method=request.method,
            headers=request.headers,
            jar=cookies.parse("; ".join(request.headers.getlist("cookie"))),
            address=client_address(
                ",".join(request.headers.getlist("x-forwarded-for")), self._settings.trusted_proxies
            ),
            body=validation.UNDEFINED,
            query=_query(request),
            parameters={},
        )
        try:
            answer = await self._run(request, call)
        except AuthError as error:
            answer = error.response()
            if isinstance(error, TooManyRequestsError):
                answer.headers["x-retry-after"] = str(error.retry_after)
        except (DatabaseError, DatabaseUnavailableError) as error:
            answer = _broken(error)
        if not isinstance(answer, Response):
            headers = {"content-type": _JSON}
            answer = Response(msgspec.json.encode(answer), 200, headers)
        answer.headers.update(call.headers_out)
        for line in call.cookies_out:
            answer.headers.append("set-cookie", line)
        self._expose_token(call, answer)
        return answer

    async def _run(self, request: Request, call: Call) -> Any:
        # as it was sent: an encoded slash parts nothing
        path = request.scope["raw_path"].decode("latin-1").removeprefix(PREFIX)
        if "counted" not in request.scope["state"]:
            await self._limiter.check(call.address, path, known=path in PATHS)
        found = route(request.method, path)
        if found is None:
            raise AuthError(404, bare=True)
        endpoint, call.parameters = found
        if request.method != "GET" and not endpoint.ignores_body:
            call.body = await _body(request, endpoint)
        if request.method != "GET":
            if "cookie" in request.headers:
                self._check_origin(request)
            self._check_urls(call)
        self.auth.cookies.take_bearer(call.jar, request.headers.get("authorization", ""))
        self._check_fields(call, endpoint)
        if endpoint.from_forms and "cookie" not in request.headers:
            self._check_form(request)
        if endpoint.session != "none":
            call.current = await sessions.find(
                call, may_write=not self._settings.defer_session_refresh
            )
            if call.current is None:
                raise AuthError(401, "UNAUTHORIZED")
            if endpoint.session == "fresh" and not sessions.is_fresh(call, call.current):
                raise AuthError(403, "SESSION_NOT_FRESH")
        callback = call.query.get("callbackURL")
        if (
            endpoint.checks_callback
            and callback
            and not self.auth.origins.trusts(callback, relative=True)
        ):
            raise AuthError(403, "INVALID_CALLBACK_URL")
        return await endpoint.flow(call)

    def _check_origin(self, request: Request) -> None:
        given = request.headers.get("origin") or request.headers.get("referer")
        if given == "null" and request.headers.get("sec-fetch-site") == "same-origin":
            given = self.auth.origins.own
        if not given or given == "null":
            raise AuthError(403, "MISSING_OR_NULL_ORIGIN")
        if not self.auth.origins.trusts(given):
            raise AuthError(403, "INVALID_ORIGIN")

    def _check_form(self, request: Request) -> None:
        """A sign-in that another site's form could have sent, so without the cookies of ours."""
        fetch = {
            name: request.headers.get(f"sec-fetch-{name}") for name in ("site", "mode", "dest")
        }
        if any(fetch.values()):
            if fetch["site"] == "cross-site" and fetch["mode"] == "navigate":
                raise AuthError(403, "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED")
            self._check_origin(request)
        elif request.headers.get("origin") or request.headers.get("referer"):
            self._check_origin(request)

    def _check_urls(self, call: Call) -> None:
        for name, code in _URLS:
            url = call.given(name)
            if name == "callbackURL" and url in (None, "", False, 0):
                url = call.query.get(name)
            if url is None or url in ("", False, 0):  # what JavaScript takes for nothing
                continue
            if not isinstance(url, str):
                label = "redirectURL" if name == "redirectTo" else name
                raise AuthError(400, message=f"Invalid {label}: expected a string")
            if not self.auth.origins.trusts(url, relative=True):
                raise AuthError(403, code)

    def _check_fields(self, call: Call, endpoint: Endpoint) -> None:
        if endpoint.body is not None:
            validation.refuse(endpoint.body("body", call.body))
        if endpoint.query is not None:
            validation.refuse(endpoint.query("query", call.query))

    def _expose_token(self, call: Call, response: Response) -> None:
        """The bearer client's copy of a session cookie that was set."""
        start = f"{self.auth.cookies.session_token}="
        line = next((c for c in reversed(call.cookies_out) if c.startswith(start)), None)
        if line is None:
            return
        value = line.removeprefix(start).partition(";")[0]
        if value and "Max-Age=0" not in line:
            response.headers["set-auth-token"] = unquote(value)
            response.headers["access-control-expose-headers"] = "set-auth-token"


def _broken(error: DatabaseError | DatabaseUnavailableError) -> Response:
    if isinstance(error, DatabaseUnavailableError):
        return _unavailable("The database cannot be reached")
    if error.sqlstate[:2] in ("22", "23", "54"):
        # it refused what passed every check here: a NUL byte, or a limit of its own
        return AuthError(400, "BAD_REQUEST", "A value cannot be kept").response()
    _log.error("the database refused a statement: %s", error)
    return _unavailable("The database is not as it should be")


def _unavailable(message: str) -> Response:
    response = AuthError(503, message=message).response()
    response.headers.update(RETRY_AFTER)
    return response


async def _body(request: Request, endpoint: Endpoint) -> Any:
    """The decoded body, or UNDEFINED without one.

    Raises AuthError: 415 for another media type, 400 for JSON that is none.
    """
    given = request.headers.get("content-type")
    is_empty = request.headers.get("content-length", "0") == "0"
    if not given or (is_empty and "transfer-encoding" not in request.headers):
        return validation.UNDEFINED
    body = await request.body()
    allowed = (_FORM, _JSON) if endpoint.form else (_JSON,)
    media_type = given.partition(";")[0].strip().lower()
    if media_type not in allowed:
        raise AuthError(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f'Content-Type "{given}" is not allowed. Allowed types: {", ".join(allowed)}',
        )
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    if media_type == _FORM:
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        return _mended(json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        raise AuthError(400, "BAD_REQUEST", "Invalid JSON in request body") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _mended(value: Any) -> Any:
    """Lone surrogates, which JSON can carry and no database keeps, as U+FFFD."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value


def _query(request: Request) -> dict[str, Any]:
    """The query; a name given twice becomes a list, which no field takes."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(
        request.scope["query_string"].decode("latin-1"), keep_blank_values=True
    ):
        before = found.get(name)
        if before is None:
            found[name] = value
        else:
            found[name] = [*(before if isinstance(before, list) else [before]), value]
    return found
