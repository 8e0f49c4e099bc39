"""Who may see the pages of the development server: a browser on this machine that asks by a name of
this machine, and nobody else: no other machine, no page of another site, and no name of a
stranger's that leads here (DNS rebinding).
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def headers_of_pages(*, form_action: str = "'none'") -> dict[str, str]:
    return {
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self'; base-uri 'none'; form-action {form_action}; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "same-origin",
    }


HEADERS: Final = headers_of_pages()
LOCAL_HOST: Final = re.compile(
    r"(localhost|127(\.\d{1,3}){3}|\[::1\])(?P<port>:\d{1,5})?", re.ASCII | re.IGNORECASE
)
_FORWARDED: Final = ("cf-", "forwarded", "true-client-ip", "via", "x-forwarded-", "x-real-ip")


class OnThisMachine:
    """Passes on what a page of this very origin on this machine asks for, and refuses the rest.

    With ``links`` a page of another site may lead here, as to any address.
    """

    def __init__(
        self, app: ASGIApp, *, headers: Mapping[str, str] = HEADERS, links: bool = False
    ) -> None:
        self.app = app
        self.headers = headers
        self.links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_local(scope) or not (self.links or is_own_page(scope)):
            text = "Only a browser on the service's own machine may see this.\n"
            await PlainTextResponse(text, HTTPStatus.FORBIDDEN, HEADERS)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def is_local(scope: Scope) -> bool:
    """Whether a program on this machine asks, by a name of this machine, and for nobody else."""
    headers, peer = Headers(scope=scope), scope.get("client")
    return (
        peer is not None
        and _is_loopback(peer[0])
        and LOCAL_HOST.fullmatch(headers.get("host", "")) is not None
        and not any(name.startswith(_FORWARDED) for name in headers)
    )


def is_own_page(scope: Scope) -> bool:
    """Whether a person, a program, or a page of this very origin asks."""
    headers = Headers(scope=scope)
    # browsers say who asks; "none" is a person
    site = headers.get("sec-fetch-site", "none")
    # a proxy that says nothing of itself changes Host, and not where the page is
    page = headers.get("origin") or headers.get("referer")
    elsewhere = page is not None and urlsplit(page).netloc != headers.get("host")
    return site in ("same-origin", "none") and not elsewhere


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
