"""expo: the origin of an Expo app, whose requests have none, in the header ``expo-origin``.

No page of another site can send that header: a browser asks first, and is told not to. A browser's
own Origin counts before it. The app keeps its cookies by itself, as Set-Cookie gives them.
"""

from starlette.requests import Request

from . import Plugin as Base


class Plugin(Base):
    """Names the app's scheme."""

    def origin(self, request: Request) -> str | None:
        """Such as ``myapp://``."""
        return request.headers.get("expo-origin")
