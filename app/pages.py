"""Pages for people who followed a link of a mail that leads to no page of the application.

Plain HTML without scripts or styles, which the headers of the APIs forbid.
"""

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from .responses import API_HEADERS

_USED: Final = "This link is not valid any more: it was used already, or a newer one replaced it."
_REASONS: Final = {
    "EMAIL_ALREADY_VERIFIED": "This address is verified already.",
    "INVALID_TOKEN": _USED,
    "INVALID_USER": "This link is for another account than the one you are signed in to.",
    "TOKEN_EXPIRED": "This link has expired. Ask for a new one.",
    "USER_NOT_FOUND": "The account of this link is not there any more.",
}
_OTHER: Final = "That did not work."
SHARED_FILES: Final = (__package__ or "", "static")
"""What the pages with styles have in common, as StaticFiles names a folder of a package."""


def wants_page(request: Request) -> bool:
    """Whether a browser asks for something to show."""
    return "text/html" in request.headers.get("accept", "")


def page(title: str, text: str, status: int = 200) -> Response:
    """A page with a title and a sentence."""
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title>"
        f"<h1>{escape(title)}</h1><p>{escape(text)}</p></html>"
    )
    return HTMLResponse(body, status)


def done() -> Response:
    return page("Done", "You can close this page and go back to the application.")


def failed(code: str | None, status: int = 200) -> Response:
    return page("This link did nothing", _REASONS.get(code or "", _OTHER), status)


async def root(request: Request) -> Response:
    """GET /: where links lead that name no page."""
    code = request.query_params.get("error")
    if not wants_page(request):
        return PlainTextResponse("Gatepost\n", headers=API_HEADERS)
    answer = failed(code) if code else page("Gatepost", "This service is running.")
    answer.headers.update(API_HEADERS)
    return answer
