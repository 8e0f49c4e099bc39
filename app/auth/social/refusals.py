"""Why a sign-in with a provider ends before there is a session."""

from typing import Final


class RefusedError(Exception):
    """``code`` is what the address gets to which the browser goes, or what an error is made of.

    With ``error_url`` None that is the one of the request, and else the service's own page.
    """

    def __init__(self, code: str, description: str = "", *, error_url: str | None = None) -> None:
        super().__init__(code)
        self.code: Final = code
        self.description: Final = description
        self.error_url: Final = error_url
