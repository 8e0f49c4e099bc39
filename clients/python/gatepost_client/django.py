"""For Django: a middleware that knows the session of each request, and a decorator.

    MIDDLEWARE = [..., "gatepost_client.django.GatepostMiddleware"]
    GATEPOST_URL = "https://auth.example.com"
    GATEPOST_TRUSTED_ORIGINS = ["https://app.example.com"]  # besides the application's own

    @session_required
    def me(request):  # or: async def me(request)
        return JsonResponse({"email": request.gatepost.session().user.email})

``request.gatepost.session()``, or ``await request.gatepost.asession()``, is None when nobody is
signed in; the service is asked once a request, and not before. A service that does not answer is
503, a request that another site sent 403. ``pip install 'gatepost-client[django]'``.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache, wraps
from inspect import iscoroutinefunction
from typing import Any, cast

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from .credentials import headers_of
from .errors import GatepostError, OriginError, UnavailableError
from .guard import check_cookie_origin, log_failure
from .http import COOKIE_PREFIX, TIMEOUT, SyncGatepostClient
from .models import Session

View = Callable[..., Any]


class RequestSession:
    """The session of one request, looked up at most once."""

    def __init__(self, request: HttpRequest) -> None:
        self._method = request.method or "GET"
        self._headers = headers_of(cast("Any", request))
        self._found: tuple[Session | None] | None = None

    def session(self) -> Session | None:
        """Raises OriginError and what SyncGatepostClient raises."""
        if self._found is None:
            client = _client()
            origins = tuple(getattr(settings, "GATEPOST_TRUSTED_ORIGINS", ()))
            check_cookie_origin(self._method, self._headers, client, origins)
            self._found = (client.session(self._headers),)
        return self._found[0]

    async def asession(self) -> Session | None:
        """``session`` for asynchronous views: in a thread, for their event loops may differ."""
        if self._found is None:
            return await sync_to_async(self.session, thread_sensitive=False)()
        return self._found[0]


@lru_cache(maxsize=1)
def _client() -> SyncGatepostClient:
    url = getattr(settings, "GATEPOST_URL", None)
    if not url:
        raise ImproperlyConfigured("GATEPOST_URL is not set: the address of the service")
    return SyncGatepostClient(
        url,
        cookie_prefix=getattr(settings, "GATEPOST_COOKIE_PREFIX", COOKIE_PREFIX),
        timeout=getattr(settings, "GATEPOST_TIMEOUT", TIMEOUT),
    )


class GatepostMiddleware:
    """Gives each request ``request.gatepost``, and says what went wrong with the right status."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        request.gatepost = RequestSession(request)  # pyright: ignore[reportAttributeAccessIssue]
        return self._get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Django's hook for what a view raised."""
        if isinstance(exception, OriginError):
            return _refused(403, str(exception))
        if isinstance(exception, GatepostError):
            log_failure(exception)
            response = _refused(503, "It cannot be said now who this is")
            if isinstance(exception, UnavailableError):
                response["Retry-After"] = str(exception.retry_after)
            return response
        return None


def session_required(
    view: View | None = None, *, fresh: bool = False, role: str | None = None
) -> Any:
    """Only with a session, or 401: ``@session_required`` or ``@session_required(role="admin")``.

    ``fresh``: signed in within a day, or 403. ``role``: with this role, or 403.
    """

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def asynchronous(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                refusal = _refusal(await _of(request).asession(), fresh=fresh, role=role)
                return refusal or await view(request, *args, **kwargs)

            return asynchronous

        @wraps(view)
        def synchronous(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            refusal = _refusal(_of(request).session(), fresh=fresh, role=role)
            return refusal or view(request, *args, **kwargs)

        return synchronous

    return decorate if view is None else decorate(view)


def _of(request: HttpRequest) -> RequestSession:
    found = getattr(request, "gatepost", None)
    if found is None:
        raise ImproperlyConfigured("gatepost_client.django.GatepostMiddleware is not in MIDDLEWARE")
    return found


def _refusal(session: Session | None, *, fresh: bool, role: str | None) -> JsonResponse | None:
    if session is None:
        response = _refused(401, "Nobody is signed in")
        response["WWW-Authenticate"] = "Bearer"
        return response
    if fresh and not session.is_fresh():
        return _refused(403, "Sign in again: this needs a fresh session")
    if role is not None and role not in session.user.roles:
        return _refused(403, f"This needs the role {role}")
    return None


def _refused(status: int, message: str) -> JsonResponse:
    return JsonResponse({"detail": message}, status=status)
