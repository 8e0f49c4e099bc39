"""Plugins: modules of this package that GATEPOST_PLUGINS names. The others are not imported.

Such a module has the functions of ``Plugin``. docs/PLUGINS.md says what each does and opens.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import Protocol, cast

from starlette.responses import Response

from app.auth.context import RequestContext


class Plugin(Protocol):
    """What a plugin does with each request of the auth API, an endpoint's or not."""

    def before(self, context: RequestContext) -> None:
        """Before the fields of a request are looked at, and its session."""

    def after(self, context: RequestContext, response: Response) -> None:
        """When the response has its cookies."""


def load(names: Iterable[str]) -> tuple[Plugin, ...]:
    """The plugins of these names, which the settings have checked."""
    return tuple(cast("Plugin", import_module(f"{__name__}.{name}")) for name in names)
