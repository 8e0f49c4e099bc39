"""The page at ``/`` in development: what runs, the ways in, the mails, and a form to sign up with.

The links of the mails sign people in, so only those see it whom ``local`` lets. No service key is
in it.
"""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .. import __version__, pages
from ..database import Database
from ..errors import DatabaseError
from ..main import create_app
from ..migrations.files import INSTALLED, MIGRATIONS
from ..redaction import redacted_url
from ..responses import API_HEADERS
from ..settings import Settings
from ..statements import development, migrations
from . import mails
from .local import HEADERS, LOCAL_HOST, OnThisMachine, is_local
from .postgres import wheel_binaries

if TYPE_CHECKING:
    from .provider import LocalProvider

STATIC: Final = Path(__file__).with_name("static")
PREFIX: Final = "/dev"

_NAMES: Final = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "linkedin": "LinkedIn",
    "local": "the local provider",
    "twitter": "X",
}
"""Of providers, where a capital letter at the start will not do."""
_LINKS: Final = {
    "/docs": "Both APIs, to read and to try",
    "/openapi.json": "Both APIs as OpenAPI",
    "/readyz": "Whether the service is ready",
}
"""What the page points to, where the application has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The page, and what it shows."""

    settings: Settings
    data: Path | None
    """The folder of the embedded database; None: it is the one in DATABASE_URL."""
    key_file: Path | None
    """Where the development key is, if one was made."""

    @property
    def _providers(self) -> list[list[str]]:
        """What people sign in with: ids and names."""
        given = self.settings.auth.social.providers if self.settings.auth else ()
        return [[each.id, _NAMES.get(each.id, each.id.capitalize())] for each in given]

    async def page(self, request: Request) -> Response:
        """GET /. What is no browser, and a link that failed, see what they see in production."""
        query = request.query_params
        if not pages.wants_page(request) or ("error" in query and "provider" not in query):
            return await pages.root(request)
        if not is_local(request.scope):
            text = "This service is running. A browser on its own machine sees more of it."
            answer = pages.page("Gatepost", text)
            answer.headers.update(API_HEADERS)
            return answer
        if (own := self._own_address(request)) is not None:
            return RedirectResponse(own)
        return FileResponse(STATIC / "index.html", headers=HEADERS)

    def _own_address(self, request: Request) -> str | None:
        """The same page by the name under which people can sign in, if it has another one."""
        auth = request.app.state.auth
        if auth is None or auth.origins.trusts(_origin(request)):
            return None
        here = LOCAL_HOST.fullmatch(request.headers["host"])
        own = LOCAL_HOST.fullmatch(urlsplit(auth.settings.base_url).netloc)
        if here is None or own is None or here["port"] != own["port"]:
            return None  # a proxy's or a front end's, which has pages of its own
        return f"{auth.settings.base_url}/?{request.url.query}".rstrip("?")

    async def state(self, request: Request) -> Response:
        """GET /dev/state: what the page shows."""
        here = _origin(request)
        auth, mail = request.app.state.auth, self.settings.auth and self.settings.auth.mail
        paths = {getattr(route, "path", None) for route in request.app.routes}
        shown = {
            "version": __version__,
            "python": python_version(),
            "address": here,
            "signInHere": auth is not None and auth.origins.trusts(here),
            "baseUrl": self.settings.auth and self.settings.auth.base_url,
            "database": await self._database(request.app.state),
            "keys": [key.name for key in self.settings.service_keys],
            "keyFile": self.key_file and _from_here(self.key_file),
            "commands": self._commands(here),
            "providers": self._providers,
            "mailFile": mail and mail.file and _from_here(Path(mail.file)),
            "mailsAreSent": bool(mail and mail.url),
            "mails": mails.newest(Path(mail.file)) if mail and mail.file else [],
            "links": [[path, text] for path, text in _LINKS.items() if path in paths],
            "docs": None if INSTALLED else _from_here(MIGRATIONS.parents[1] / "docs"),
        }
        return Response(msgspec.json.encode(shown), media_type="application/json")

    async def _database(self, application: State) -> dict[str, Any]:
        database: Database = application.database
        place = _from_here(self.data) if self.data else redacted_url(self.settings.database_url)
        shown: dict[str, Any] = {"embedded": self.data is not None, "place": place}
        try:
            overview = await database.fetchrow(development.overview)
            applied = {row["version"] for row in await database.fetch(migrations.applied)}
        except DatabaseError as error:
            return shown | {"error": str(error)}
        if overview is None:
            raise LookupError("a SELECT without FROM gives a row")
        few = development.COUNTED
        estimates = overview.estimated_users, overview.estimated_sessions
        counts = overview.users, overview.sessions
        users, sessions = (
            {"count": count, "exact": True}
            if count <= few
            else {"count": max(count, estimate), "exact": False}
            for count, estimate in zip(counts, estimates, strict=True)
        )
        return shown | {
            "version": overview.server_version.partition(" ")[0],
            "applied": len(applied),
            "pending": sorted(application.migrations - applied),
            "users": users,
            "sessions": sessions,
        }

    def _commands(self, here: str) -> dict[str, str]:
        """Lines for a shell, one for each way in."""
        key = "KEY" if self.key_file is None else f"$(cat {_from_here(self.key_file)})"
        return {
            "auth": f"curl {here}/api/auth/sign-in/email -H 'Content-Type: application/json' "
            """-d '{"email": "ada@example.com", "password": "…"}'""",
            "rest": f"curl '{here}/rest/v1/users?select=name,email,sessions(created_at)' "
            f'-H "apikey: {key}"',
            "tables": self._psql(),
        }

    def _psql(self) -> str:
        if self.data is None:
            return 'psql "$DATABASE_URL"'
        # its owner's role, for the service's own may not change the tables
        url = urlsplit(self.settings.database_url)._replace(netloc="postgres@").geturl()
        psql = "psql" if shutil.which("psql") else _from_here(wheel_binaries() / "psql")
        return f"{psql} {shlex.quote(url)}"


def development_app(
    settings: Settings,
    *,
    data: Path | None,
    key_file: Path | None,
    provider: "LocalProvider | None" = None,
) -> Starlette:
    """The application, with the page in place of the plain line at ``/``, and a provider to try."""
    app = create_app(settings)
    welcome = Welcome(settings=settings, data=data, key_file=key_file)
    shown = StaticFiles(directory=STATIC, packages=[pages.SHARED_FILES])
    files = [Route("/state", welcome.state), Mount("/", shown)]
    app.router.routes[:0] = [
        Route("/", welcome.page),
        *(provider.routes(app.state.auth.origins.trusts) if provider else ()),
        Mount(PREFIX, routes=files, middleware=[Middleware(OnThisMachine)]),
    ]
    return app


def _origin(request: Request) -> str:
    """The origin of a page that asks by the name in Host."""
    return f"{request.scope['scheme']}://{request.headers['host']}"


def _from_here(path: Path) -> str:
    """A path for a shell in the folder in which the service was started."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith("..") else relative)
