"""Requests that another site had a browser send, which adds the cookies by itself.

Origin, or else Referer, says which site it was, and Fetch Metadata (Sec-Fetch-*) how it went about
it; no page can change either.
"""

from starlette.requests import Request

from ..errors import AuthError
from .context import Services
from .refused_origins import missing_origin


def check_cookies(services: Services, request: Request) -> None:
    """Refuse a request with cookies that may come from an origin which is not trusted.

    With SameSite=Lax a browser leaves them out of what other sites have it read; with None it does
    not, and reads are refused as well. A link to follow has the cookies either way.
    """
    reads = request.method == "GET"
    if (reads and not services.cookies.cross_site) or "cookie" not in request.headers:
        return
    if not reads or _is_cross_site_read(request):
        _check_origin(services, request)


def check_login(services: Services, request: Request) -> None:
    """Refuse a sign-in that the form of another site sent, and so without our cookies."""
    headers = request.headers
    site, mode, dest = _fetch_metadata(request)
    if site or mode or dest:
        if site == "cross-site" and mode == "navigate":
            raise AuthError(403, "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED")
        _check_origin(services, request)
    elif headers.get("origin") or headers.get("referer"):
        _check_origin(services, request)


def _check_origin(services: Services, request: Request) -> None:
    headers, origins = request.headers, services.origins
    origin = headers.get("origin") or _plugin_origin(services, request)
    origin = origin or headers.get("referer", "")
    if origin == "null" and headers.get("sec-fetch-site") == "same-origin":
        origin = origins.own
    if origins.allows(origin):
        return
    if origin in ("", "null"):
        hint = None if origin else missing_origin(origins.own)
        raise AuthError(403, "MISSING_OR_NULL_ORIGIN", hint=hint)
    raise AuthError(403, "INVALID_ORIGIN")


def _plugin_origin(services: Services, request: Request) -> str | None:
    return next(filter(None, (plugin.origin(request) for plugin in services.plugins)), None)


def _is_cross_site_read(request: Request) -> bool:
    site, mode, dest = _fetch_metadata(request)
    return site == "cross-site" and not (mode == "navigate" and dest == "document")


def _fetch_metadata(request: Request) -> tuple[str | None, ...]:
    return tuple(request.headers.get(f"sec-fetch-{name}") for name in ("site", "mode", "dest"))
