"""The page ``/admin``: users and sessions for people with an administrator's role.

GATEPOST_ADMIN_PAGE puts it there; without it this package is not imported. It only reads. What it
changes, static/admin.js asks of the endpoints of the admin plugin, with the session of the page.
"""

from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ..auth.context import Services
from ..pages import SHARED_FILES
from ..settings import Settings
from . import events, overview, sessions, sign_in, users
from .health import health_screen
from .page import PREFIX, Screen, nowhere
from .user import UserScreens

_STATIC: Final = Path(__file__).with_name("static")


def admin_routes(services: Services, settings: Settings, version: str) -> list[BaseRoute]:
    """Every screen. A new one adds its module's ``screen`` here, and its link to base.html."""
    user = UserScreens(services)
    screens = {
        "/sign-in": sign_in.screen,
        "": overview.screen,
        "/users": users.screen,
        "/users.csv": users.csv_screen,
        "/users/{id}": user.screen,
        "/users/{id}/export": user.export_screen,
        "/sessions": sessions.screen,
        "/events": events.screen,
        "/health": health_screen(settings, version),
    }
    return [
        *(_route(path, screen) for path, screen in screens.items()),
        Mount(f"{PREFIX}/static", StaticFiles(directory=_STATIC, packages=[SHARED_FILES])),
        _route("/{path:path}", Screen(nowhere, "problem.html")),
    ]


def _route(path: str, screen: Screen) -> Route:
    return Route(f"{PREFIX}{path}", screen, methods=["GET"], include_in_schema=False)
